from typing import cast

from torch import Tensor, nn

from lightning_modules.networks.backbone import Stage
from lightning_modules.networks.branch import Branch, BranchSpec


class StudentNetwork(nn.Module):
    """The light single-branch detector: a backbone, on RGB in the paper, and a linear classifier.

    Args:
        spec: The backbone and its front-end.
        image_size: Side S of the images, in pixels.
        stage: Number of timm's feature map, or name of the layer, that gives the shared feature z;
            the last where not given.

    Raises:
        InputError: The backbone cannot be cut there.
    """

    def __init__(self, spec: BranchSpec, image_size: int, stage: Stage | None = None) -> None:
        super().__init__()
        self.branch = Branch(spec, image_size)
        self.stage = stage
        backbone = self.branch.backbone
        self.width = backbone.out_channels if stage is None else backbone.channels_at(stage)
        self.classifier = nn.Linear(backbone.out_channels, 1)

    def features(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to the shared feature z, `[B, C, h, w]`."""
        if self.stage is None:
            return self.branch(x)
        first = self.branch.backbone.segments([self.stage])[0]
        return cast(Tensor, first(self.branch.look(x)))

    def classify(self, z: Tensor) -> Tensor:
        """Give the logit `[B]` of being fake from z, `[B, C, h, w]`, or pooled `[B, C]`."""
        if self.stage is not None:
            z = self.branch.backbone.segments([self.stage])[1](z)
        return self.classifier(z.mean(dim=(2, 3)) if z.ndim == 4 else z).squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        """Give the logit `[B]` of being fake."""
        return self.classify(self.features(x))
