from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_modules.networks.front_ends.front_end import FrontEnd


class RGB(FrontEnd):
    """The image itself, `[B, 3, S, S]`, normalized by a mean and a deviation for each colour."""

    out_channels = 3

    def __init__(self, image_size: int) -> None:
        super().__init__(image_size)
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5), persistent=False)
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.5), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def normalize_by(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take the statistics of the images that a backbone was pretrained on."""
        self.mean.copy_(torch.tensor(mean).view(1, 3, 1, 1))
        self.std.copy_(torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize images in [0, 1], `[B, 3, S, S]`."""
        return (x - self.mean) / self.std
