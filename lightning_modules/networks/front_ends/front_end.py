from abc import abstractmethod

from torch import Tensor, nn


class FrontEnd(nn.Module):
    """What a branch sees of an image in place of its colours.

    Maps images in [0, 1] `[B, 3, S, S]` to `[B, out_channels, S', S']`. Built with the side S, in
    pixels.
    """

    out_channels: int

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to `[B, out_channels, S', S']`."""


def signed(x: Tensor) -> Tensor:
    """Bring [0, 1] to [-1, 1]: DC would otherwise outweigh every other coefficient."""
    return 2 * x - 1


def grey(x: Tensor) -> Tensor:
    """Luma of RGB images `[B, 3, S, S]`, `[B, 1, S, S]` (ITU-R BT.601)."""
    weights = x.new_tensor([0.299, 0.587, 0.114])
    return (x * weights[:, None, None]).sum(1, keepdim=True)
