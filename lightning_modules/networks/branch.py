import torch
from torch import Tensor, nn

from lightning_modules.networks.backbone import Backbone, BackboneSpec
from lightning_modules.networks.frequency import FrequencyAwareDecomposition


class Normalization(nn.Module):
    """Shift and scale `[B, 3, S, S]` images in [0, 1] to a mean and deviation by channel."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the images."""
        return (x - self.mean) / self.std


class SpatialBranch(nn.Sequential):
    """A backbone on RGB, normalized as its pretrained weights expect.

    Maps images in [0, 1] `[B, 3, S, S]` to `[B, out_channels, h, w]`.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        backbone = Backbone(spec)
        super().__init__(Normalization(backbone.mean, backbone.std), backbone)
        self.out_channels = backbone.out_channels


class FrequencyBranch(nn.Sequential):
    """A backbone on the 12 channels of FAD.

    Maps images in [0, 1] `[B, 3, S, S]` to `[B, out_channels, h, w]`.
    """

    def __init__(self, spec: BackboneSpec, image_size: int) -> None:
        decomposition = FrequencyAwareDecomposition(image_size)
        backbone = Backbone(spec, decomposition.out_channels)
        # FAD wants a signed image: DC would otherwise outweigh every other coefficient.
        super().__init__(Normalization((0.5,) * 3, (0.5,) * 3), decomposition, backbone)
        self.out_channels = backbone.out_channels
