import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor, nn

from lightning_modules.networks.front_ends.front_end import FrontEnd, dct_matrix, grey, signed

# Keeps the logarithm of an empty band finite; below the smallest step of an 8-bit image.
FLOOR = 1e-4


class LFS(FrontEnd):
    """Local frequency statistics of F3-Net (Qian et al., ECCV 2020, section 3.2).

    A 10x10 window slides over the grey image with stride 2. Each of M = 6 bands of equal width
    along the anti-diagonals has a mask: a fixed part of 0 and 1 plus a learnable part squashed to
    (-1, 1) by 2σ(w) - 1. The output is log10 of the L1 norm of the window's DCT times the mask,
    `[B, 6, S/2, S/2]`.
    """

    window = 10
    stride = 2
    out_channels = 6

    def __init__(self, image_size: int) -> None:
        super().__init__(image_size)
        index = torch.arange(self.window)
        band = (index[:, None] + index) * self.out_channels // (2 * self.window - 1)
        bands = torch.stack([band == k for k in range(self.out_channels)]).flatten(1)
        self.register_buffer("dct", dct_matrix(self.window).float(), persistent=False)
        self.register_buffer("bands", bands.float()[:, :, None, None], persistent=False)
        self.mask_weights = nn.Parameter(torch.randn_like(self.bands) * 0.1)
        self.dct: Tensor
        self.bands: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Compute the statistics of images in [0, 1], `[B, 3, S, S]`."""
        padding = (self.window - self.stride) // 2
        image = F.pad(signed(grey(x)), (padding,) * 4, mode="reflect")
        masks = self.bands + 2 * torch.sigmoid(self.mask_weights) - 1
        # Σ |D| |mask| is the norm of D times the mask. With signed masks it could be negative.
        norms = F.linear(self._magnitudes(image), masks.abs().flatten(1).to(image))
        return norms.clamp_min(FLOOR).log10().permute(0, 3, 1, 2)

    def _magnitudes(self, image: Tensor) -> Tensor:
        """Return the magnitudes of each window's coefficients, `[B, S/2, S/2, 100]`."""
        dct = self.dct.to(image)
        rows = F.conv2d(image, dct[:, None, :, None], stride=(self.stride, 1))
        # The 2D transform is separable: two passes of 10 multiplications each instead of 100.
        coefficients = F.conv2d(
            rows.to(memory_format=torch.channels_last),
            dct.repeat(self.window, 1)[:, None, None, :],
            stride=(1, self.stride),
            groups=self.window,
        )
        return coefficients.abs_().permute(0, 2, 3, 1)
