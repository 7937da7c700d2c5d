from torch import Tensor, nn

from lightning_modules.networks.backbone import Branch, BranchSpec


class StudentNetwork(nn.Module):
    """The light single-branch detector: a backbone, on RGB in the paper, and a linear classifier.

    The shared feature z, of C = `width` channels, is the map of `stage`, by default the last.

    Raises:
        InputError: The backbone has no such stage.
    """

    def __init__(self, spec: BranchSpec, image_size: int, stage: int | None = None) -> None:
        super().__init__()
        self.stage = stage
        self.branch = Branch(spec, image_size, (-1,) if stage is None else (stage, -1))
        self.width = self.branch.backbone.channels[0]
        self.classifier = nn.Linear(self.branch.out_channels, 1)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images in [0, 1] `[B, 3, S, S]` to z and the last map, `[B, C, h, w]` each.

        Without a stage the two are one tensor.
        """
        if self.stage is None:
            last = self.branch(x)
            return last, last
        maps = self.branch.maps(x)
        return maps[0], maps[-1]

    def classify(self, last: Tensor) -> Tensor:
        """Return the logit `[B]` of the last map, `[B, C, h, w]`, or of its mean `[B, C]`."""
        pooled = last.mean(dim=(2, 3)) if last.ndim == 4 else last
        return self.classifier(pooled).squeeze(1)

    def explain(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logit `[B]`, and the classifier at each position of the last map `[B, h, w]`.

        The mean over the positions is the logit (Zhou et al., "Learning Deep Features for
        Discriminative Localization", CVPR 2016).
        """
        last = self.branch(x)
        at_each = self.classifier(last.permute(0, 2, 3, 1)).squeeze(3)
        return self.classify(last), at_each

    def forward(self, x: Tensor) -> Tensor:
        """Return the logit `[B]` of being fake."""
        return self.classify(self.branch(x))
