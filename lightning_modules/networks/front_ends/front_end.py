import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class FrontEnd(nn.Module):
    """The transform of an image of side S that a branch's backbone sees."""

    out_channels: int

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to `[B, out_channels, S', S']`."""


class RGB(FrontEnd):
    """The image itself, `[B, 3, S, S]`, normalized by a mean and a deviation per colour."""

    out_channels = 3

    def __init__(self, image_size: int) -> None:
        super().__init__(image_size)
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5), persistent=False)
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.5), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def normalize_by(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Set the statistics of the images that the backbone was pretrained on."""
        self.mean.copy_(torch.tensor(mean).view(1, 3, 1, 1))
        self.std.copy_(torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize images in [0, 1], `[B, 3, S, S]`."""
        # Repeated for each pixel of a row: with channels_last, the inner loop would be the colours.
        row = (1, 3, 1, x.shape[-1])
        mean, std = (
            value.expand(row).contiguous(memory_format=torch.channels_last)
            for value in (self.mean, self.std)
        )
        return (x - mean) / std


def signed(x: Tensor) -> Tensor:
    """Map [0, 1] to [-1, 1]: otherwise DC would outweigh every other coefficient."""
    return 2 * x - 1


def grey(x: Tensor) -> Tensor:
    """Compute the luma `[B, 1, S, S]` of RGB images `[B, 3, S, S]` (ITU-R BT.601)."""
    red, green, blue = x.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]


def dct_matrix(size: int) -> Tensor:
    """Return the orthonormal DCT-II matrix D, float64 `[size, size]`: the 2-D DCT is D x Dᵀ."""
    frequency = torch.arange(size, dtype=torch.float64)[:, None]
    position = torch.arange(size, dtype=torch.float64)[None, :]
    matrix = torch.cos(math.pi * (2 * position + 1) * frequency / (2 * size)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix
