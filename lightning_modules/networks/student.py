from torch import Tensor, nn

from lightning_modules.networks.backbone import BackboneSpec
from lightning_modules.networks.branch import SpatialBranch


class StudentNetwork(nn.Module):
    """The light single-branch detector: a backbone on RGB and a linear classifier.

    Args:
        spec: The backbone.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        self.branch = SpatialBranch(spec)
        self.width = self.branch.out_channels
        self.classifier = nn.Linear(self.width, 1)

    def features(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to the shared feature z, `[B, C, h, w]`."""
        return self.branch(x)

    def classify(self, z: Tensor) -> Tensor:
        """Give the logit `[B]` of being fake from z, `[B, C, h, w]`."""
        return self.classifier(z.mean(dim=(2, 3))).squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        """Give the logit `[B]` of being fake."""
        return self.classify(self.features(x))
