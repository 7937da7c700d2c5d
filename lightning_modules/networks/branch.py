from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lightning_modules.networks.backbone import Backbone, BackboneSpec
from lightning_modules.networks.front_ends import RGB, create_front_end


@dataclass
class BranchSpec(BackboneSpec):
    """A front-end and a backbone.

    Attributes:
        front_end: rgb, fad, lfs, phase, srm, or the class path of a FrontEnd.
    """

    front_end: str = "rgb"


class Branch(nn.Module):
    """A front-end and the backbone that sees its output.

    Args:
        spec: Front-end and backbone.
        image_size: Side S of the images, in pixels.
        out_indices: See Backbone.

    Raises:
        InputError: The front-end or the backbone cannot be built.
    """

    def __init__(
        self, spec: BranchSpec, image_size: int, out_indices: tuple[int, ...] = (-1,)
    ) -> None:
        super().__init__()
        self.front_end = create_front_end(spec.front_end, image_size)
        self.backbone = Backbone(spec, self.front_end.out_channels, out_indices)
        if isinstance(self.front_end, RGB):
            self.front_end.normalize_by(self.backbone.mean, self.backbone.std)

    @property
    def out_channels(self) -> int:
        """Number of channels of the deepest map."""
        return self.backbone.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to the deepest map, `[B, out_channels, h, w]`."""
        features: Tensor = self.backbone(self.apply_front_end(x))
        return features

    def maps(self, x: Tensor) -> list[Tensor]:
        """Map images in [0, 1] `[B, 3, S, S]` to every map of `out_indices`, `[B, C, h, w]`."""
        return self.backbone.maps(self.apply_front_end(x))

    def truncated(self, stage: int) -> "Branch":
        """Return a branch with the same front-end and weights that ends at a stage.

        Raises:
            InputError: The backbone has no such stage.
        """
        short = deepcopy(self)
        short.backbone = self.backbone.truncated(stage)
        return short

    def apply_front_end(self, x: Tensor) -> Tensor:
        """Return the backbone's input for images in [0, 1], in full precision under autocast too.

        The range of a spectrum exceeds what half precision resolves.
        """
        with torch.autocast(x.device.type, enabled=False):
            seen: Tensor = self.front_end(x)
        return seen
