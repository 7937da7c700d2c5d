import torch
from torch import Tensor, nn

from lightning_modules.networks.backbone import BackboneSpec
from lightning_modules.networks.branch import FrequencyBranch, SpatialBranch

BRANCHES = ("spatial", "frequency")


class DualBranchNetwork(nn.Module):
    """The teacher: a spatial (RGB) and a frequency (FAD) branch, fused late by concatenation.

    Each branch has an auxiliary head beside the fused classifier. Trained through the fused head
    alone, one branch can win early and leave the other dead; the auxiliary heads keep both alive
    and tell what each sees.

    Args:
        spatial: Backbone of the RGB branch.
        frequency: Backbone of the FAD branch.
        image_size: Side S of the input, in pixels.
    """

    def __init__(self, spatial: BackboneSpec, frequency: BackboneSpec, image_size: int) -> None:
        super().__init__()
        self.branches = nn.ModuleDict(
            {
                "spatial": SpatialBranch(spatial),
                "frequency": FrequencyBranch(frequency, image_size),
            }
        )
        self.widths: dict[str, int] = {
            name: branch.out_channels  # type: ignore[misc]  # nn.ModuleDict forgets the class
            for name, branch in self.branches.items()
        }
        self.heads = nn.ModuleDict({name: nn.Linear(c, 1) for name, c in self.widths.items()})
        self.classifier = nn.Linear(sum(self.widths.values()), 1)

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """Map images in [0, 1] `[B, 3, S, S]` to each branch's `[B, C, h, w]`."""
        return {name: branch(x) for name, branch in self.branches.items()}

    def classify(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give the logits `[B]` of "fused" and of each branch's auxiliary head."""
        pooled = {name: map_.mean(dim=(2, 3)) for name, map_ in features.items()}
        fused = self.classifier(torch.cat([pooled[name] for name in self.heads], dim=1))
        branches = {name: head(pooled[name]).squeeze(1) for name, head in self.heads.items()}
        return {"fused": fused.squeeze(1), **branches}

    def forward(self, x: Tensor) -> Tensor:
        """Give the fused logit `[B]` of being fake."""
        return self.classify(self.features(x))["fused"]
