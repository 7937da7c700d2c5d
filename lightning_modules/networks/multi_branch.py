from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import interpolate

from errors import look_up
from lightning_modules.networks.backbone import Branch, BranchSpec
from lightning_modules.networks.fusion import FUSIONS


class MultiBranchNetwork(nn.Module):
    """The teacher: branches that see an image through their own front-ends, fused late.

    The paper has two branches, a spatial one on RGB and a frequency one. Each has an auxiliary head
    in addition to the fused classifier. Trained through the fused head alone, one branch can learn
    first and leave the others untrained; the auxiliary heads keep all of them training and measure
    what each one detects.

    Raises:
        InputError: A branch or the fusion cannot be built.
    """

    def __init__(
        self, branches: Mapping[str, BranchSpec], image_size: int, fusion: str = "concatenation"
    ) -> None:
        super().__init__()
        built = {name: Branch(spec, image_size) for name, spec in branches.items()}
        self.branches = nn.ModuleDict(built)
        self.widths = {name: branch.out_channels for name, branch in built.items()}
        self.heads = nn.ModuleDict({name: nn.Linear(c, 1) for name, c in self.widths.items()})
        self.fusion = look_up("fusion", fusion, FUSIONS)(list(self.widths.values()))
        self.classifier = nn.Linear(self.fusion.out_channels, 1)

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """Map images in [0, 1] `[B, 3, S, S]` to each branch's last map, `[B, C, h, w]`."""
        return {name: branch(x) for name, branch in self.branches.items()}

    def classify(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the logits `[B]` of "fused" and of each branch's auxiliary head."""
        pooled = {name: features[name].mean(dim=(2, 3)) for name in self.branches}
        fused = self.classifier(self.fusion(list(pooled.values())))
        branches = {name: head(pooled[name]).squeeze(1) for name, head in self.heads.items()}
        return {"fused": fused.squeeze(1), **branches}

    def explain(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fused logit `[B]`, and the fused classifier at each position `[B, h, w]`.

        The branches' last maps are enlarged to the grid of the finest one.
        """
        features = self.features(x)
        grid = max((last.shape[2], last.shape[3]) for last in features.values())
        maps = [interpolate(features[name], grid) for name in self.branches]
        positions = [last.permute(0, 2, 3, 1).flatten(0, 2) for last in maps]
        at_each = self.classifier(self.fusion(positions)).reshape(-1, *grid)
        return self.classify(features)["fused"], at_each

    def forward(self, x: Tensor) -> Tensor:
        """Return the fused logit `[B]` of being fake."""
        return self.classify(self.features(x))["fused"]
