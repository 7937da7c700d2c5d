import math

import torch
from torch import Tensor, nn


def dct_matrix(size: int) -> Tensor:
    """Return the orthonormal DCT-II matrix D, float64 `[size, size]`: the 2-D DCT is D x Dᵀ."""
    frequency = torch.arange(size, dtype=torch.float64)[:, None]
    position = torch.arange(size, dtype=torch.float64)[None, :]
    matrix = torch.cos(math.pi * (2 * position + 1) * frequency / (2 * size)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


class FrequencyAwareDecomposition(nn.Module):
    """FAD, the frequency-aware decomposition of F3-Net (Qian et al., ECCV 2020, section 3.1).

    The image's DCT is multiplied by four masks, a fixed 0/1 band plus a learnable part squashed
    to (-1, 1) by 2σ(w) - 1, and each is transformed back. The bands are low, middle and high,
    plus an all-pass fourth.

    The paper puts the band edges at 1/16 and 1/8 "of the spectrum". Here that is the share of the
    spectrum's area below the anti-diagonal i + j = const, so the edges lie at
    i + j = S √(2/16) and S √(2/8). DC belongs to the low band, and low, middle and high tile the
    spectrum: without their learnable parts they sum to the image.

    Args:
        size: Side S of the square input, in pixels.
    """

    out_channels = 12

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        dct = dct_matrix(size)
        index = torch.arange(size)
        order = (index[:, None] + index[None, :]).double()
        low_edge, middle_edge = (size * math.sqrt(2 * area) for area in (1 / 16, 1 / 8))
        bands = torch.stack(
            [
                order < low_edge,
                (order >= low_edge) & (order < middle_edge),
                order >= middle_edge,
                torch.ones_like(order, dtype=torch.bool),
            ]
        )
        self.register_buffer("dct", dct.float(), persistent=False)
        self.register_buffer("bands", bands.float(), persistent=False)
        self.mask_weights = nn.Parameter(torch.randn(4, size, size) * 0.1)
        self.dct: Tensor
        self.bands: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Map images `[B, 3, S, S]` to their bands `[B, 12, S, S]`, band by band.

        Raises:
            ValueError: The image's side is not `size`.
        """
        if x.shape[-2:] != (self.size, self.size):
            msg = f"FAD was built for {self.size}x{self.size} px, got {tuple(x.shape[-2:])}"
            raise ValueError(msg)
        spectrum = self.dct @ x @ self.dct.T
        masks = self.bands + 2 * torch.sigmoid(self.mask_weights) - 1
        banded = spectrum[:, None] * masks[None, :, None]
        return (self.dct.T @ banded @ self.dct).flatten(1, 2)
