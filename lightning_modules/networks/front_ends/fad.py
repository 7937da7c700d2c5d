import math

import torch
from torch import Tensor, nn

from lightning_modules.networks.front_ends.front_end import FrontEnd, dct_matrix, signed


class FAD(FrontEnd):
    """Frequency-aware decomposition of F3-Net (Qian et al., ECCV 2020, section 3.1).

    The image's DCT is multiplied by four masks, each a fixed 0/1 band plus a learnable part
    squashed to (-1, 1) by 2σ(w) - 1, and transformed back: `[B, 12, S, S]`, band by band. The bands
    are low, middle, high and all-pass.

    The paper's band edges are 1/16 and 1/8 "of the spectrum". Here that is the share of the
    spectrum's area below the anti-diagonal i + j = const, so the edges are i + j = S √(2/16) and
    S √(2/8). DC belongs to the low band. Low, middle and high tile the spectrum: without the
    learnable parts they sum to the image.
    """

    out_channels = 12

    def __init__(self, image_size: int) -> None:
        super().__init__(image_size)
        size = image_size
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
        """Decompose images in [0, 1], `[B, 3, S, S]`.

        Raises:
            ValueError: The images have another side.
        """
        size = self.image_size
        if x.shape[-2:] != (size, size):
            msg = f"FAD was built for {size}x{size} px, got {tuple(x.shape[-2:])}"
            raise ValueError(msg)
        spectrum = self.dct @ signed(x).contiguous() @ self.dct.T
        masks = self.bands + 2 * torch.sigmoid(self.mask_weights) - 1
        banded = spectrum[:, None] * masks[None, :, None]
        return (self.dct.T @ banded @ self.dct).flatten(1, 2)
