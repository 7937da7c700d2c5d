from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lightning_modules.networks.backbone import Backbone, BackboneSpec
from lightning_modules.networks.front_ends import RGB, create_front_end


@dataclass
class BranchSpec(BackboneSpec):
    """A backbone and what it sees.

    Attributes:
        front_end: rgb, fad, lfs, phase or srm.
    """

    front_end: str = "rgb"


class Branch(nn.Module):
    """A front-end and a backbone on it.

    Args:
        spec: Both, by name.
        image_size: Side S of the images, in pixels.

    Raises:
        InputError: There is no such front-end or backbone.
    """

    def __init__(self, spec: BranchSpec, image_size: int) -> None:
        super().__init__()
        self.front_end = create_front_end(spec.front_end, image_size)
        self.backbone = Backbone(spec, self.front_end.out_channels)
        if isinstance(self.front_end, RGB):
            self.front_end.normalize_by(self.backbone.mean, self.backbone.std)
        self.out_channels = self.backbone.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to `[B, out_channels, h, w]`."""
        features: Tensor = self.backbone(self.look(x))
        return features

    def look(self, x: Tensor) -> Tensor:
        """Give what the backbone sees of images in [0, 1], in full precision under autocast too.

        A spectrum spans more than half precision tells apart.
        """
        with torch.autocast(x.device.type, enabled=False):
            seen: Tensor = self.front_end(x)
        return seen
