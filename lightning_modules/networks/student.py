from torch import Tensor, nn

from lightning_modules.networks.branch import Branch, BranchSpec


class StudentNetwork(nn.Module):
    """The light single-branch detector: a backbone, on RGB in the paper, and a linear classifier.

    Args:
        spec: The backbone and its front-end.
        image_size: Side S of the images, in pixels.
    """

    def __init__(self, spec: BranchSpec, image_size: int) -> None:
        super().__init__()
        self.branch = Branch(spec, image_size)
        self.width = self.branch.out_channels
        self.classifier = nn.Linear(self.width, 1)

    def features(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to the shared feature z, `[B, C, h, w]`."""
        return self.branch(x)

    def classify(self, z: Tensor) -> Tensor:
        """Give the logit `[B]` of being fake from z, `[B, C, h, w]` or pooled `[B, C]`."""
        return self.classifier(z.mean(dim=(2, 3)) if z.ndim == 4 else z).squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        """Give the logit `[B]` of being fake."""
        return self.classify(self.features(x))
