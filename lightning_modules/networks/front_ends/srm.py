import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor

from lightning_modules.networks.front_ends.front_end import FrontEnd

# In grey levels of an 8-bit image, as in Luo et al.: larger residuals are content, not noise.
CLIP = 3.0

# fmt: off
KERNELS = (
    (
        [[0, 0, 0, 0, 0],
         [0, -1, 2, -1, 0],
         [0, 2, -4, 2, 0],
         [0, -1, 2, -1, 0],
         [0, 0, 0, 0, 0]],
        4,
    ),
    (
        [[-1, 2, -2, 2, -1],
         [2, -6, 8, -6, 2],
         [-2, 8, -12, 8, -2],
         [2, -6, 8, -6, 2],
         [-1, 2, -2, 2, -1]],
        12,
    ),
    (
        [[0, 0, 0, 0, 0],
         [0, 0, 0, 0, 0],
         [0, 1, -2, 1, 0],
         [0, 0, 0, 0, 0],
         [0, 0, 0, 0, 0]],
        2,
    ),
)
# fmt: on
"""Kernels and divisors (Fridrich & Kodovsky, 2012; Zhou et al., CVPR 2018)."""


class SRM(FrontEnd):
    """Noise residuals of the steganalysis rich model (Luo et al., CVPR 2021, section 3.2).

    Three fixed 5x5 high-pass kernels, each summed over the colours, clipped to ±3 grey levels and
    scaled to [-1, 1]: `[B, 3, S, S]`.
    """

    out_channels = 3

    def __init__(self, image_size: int) -> None:
        super().__init__(image_size)
        kernels = torch.stack([torch.tensor(k, dtype=torch.float) / d for k, d in KERNELS])
        self.register_buffer("kernels", kernels[:, None].repeat(1, 3, 1, 1), persistent=False)
        self.kernels: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Compute the residuals of images in [0, 1], `[B, 3, S, S]`."""
        image = F.pad(255 * x, (2,) * 4, mode="reflect")
        return F.conv2d(image, self.kernels.to(image)).clamp(-CLIP, CLIP) / CLIP
