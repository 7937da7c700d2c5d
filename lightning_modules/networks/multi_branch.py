from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from errors import InputError
from lightning_modules.networks.branch import Branch, BranchSpec
from lightning_modules.networks.fusion import create_fusion
from lightning_modules.networks.mix_block import MixBlock


class MultiBranchNetwork(nn.Module):
    """The teacher: branches that each see an image their own way, fused late.

    The paper's has two, a spatial one on RGB and a frequency one. Each branch has an auxiliary
    head beside the fused classifier. Trained through the fused head alone, one branch can win
    early and leave the others dead; the auxiliary heads keep all alive and tell what each sees.

    Args:
        branches: Front-end and backbone of each branch, by its name.
        image_size: Side S of the images, in pixels.
        fusion: concatenation or gated_sum, of the pooled features.
        mix_stages: Numbers of timm's feature maps, ascending, at which two branches exchange what
            they see by F3-Net's MixBlock.

    Raises:
        InputError: A name does not exist, or the branches cannot be mixed at these stages.
    """

    def __init__(
        self,
        branches: Mapping[str, BranchSpec],
        image_size: int,
        fusion: str = "concatenation",
        mix_stages: Sequence[int] = (),
    ) -> None:
        super().__init__()
        built = {
            name: Branch(spec, image_size, tuple(mix_stages)) for name, spec in branches.items()
        }
        self.branches = nn.ModuleDict(built)
        self.widths = {name: branch.out_channels for name, branch in built.items()}
        self.mix_blocks = nn.ModuleList(_mix_blocks(built, mix_stages))
        self.heads = nn.ModuleDict({name: nn.Linear(c, 1) for name, c in self.widths.items()})
        self.fusion = create_fusion(fusion, list(self.widths.values()))
        self.classifier = nn.Linear(self.fusion.out_channels, 1)

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """Map images in [0, 1] `[B, 3, S, S]` to each branch's `[B, C, h, w]`."""
        if not self.mix_blocks:
            return {name: branch(x) for name, branch in self.branches.items()}
        branches = [cast(Branch, branch) for branch in self.branches.values()]
        segments = [branch.backbone.segments() for branch in branches]
        maps = [branch.front_end(x) for branch in branches]
        for depth in range(len(segments[0])):
            maps = [parts[depth](map_) for parts, map_ in zip(segments, maps, strict=True)]
            if depth < len(self.mix_blocks):
                maps = list(self.mix_blocks[depth](*maps))
        return dict(zip(self.branches, maps, strict=True))

    def classify(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give the logits `[B]` of "fused" and of each branch's auxiliary head."""
        pooled = {name: features[name].mean(dim=(2, 3)) for name in self.branches}
        fused = self.classifier(self.fusion(list(pooled.values())))
        branches = {name: head(pooled[name]).squeeze(1) for name, head in self.heads.items()}
        return {"fused": fused.squeeze(1), **branches}

    def forward(self, x: Tensor) -> Tensor:
        """Give the fused logit `[B]` of being fake."""
        return self.classify(self.features(x))["fused"]


def _mix_blocks(branches: Mapping[str, Branch], stages: Sequence[int]) -> list[MixBlock]:
    if not stages:
        return []
    if len(branches) != 2:
        msg = (
            f"mix_stages {list(stages)}: a MixBlock joins two branches, there are "
            f"{len(branches)}: leave mix_stages out, or take two branches"
        )
        raise InputError(msg)
    first, second = (branch.backbone for branch in branches.values())
    for stage, one, other in zip(stages, first.channels, second.channels, strict=False):
        if one != other:
            msg = (
                f"mix_stages: at stage {stage} the branches have {one} and {other} channels; a "
                "MixBlock needs equal ones: choose equal backbones, or another stage"
            )
            raise InputError(msg)
    ascending = list(stages) == sorted(set(stages))
    if not ascending or not len(first.segments()) == len(second.segments()) == len(stages) + 1:
        msg = (
            f"mix_stages {list(stages)}: expected ascending stages below the last of "
            f"{first.name} and {second.name}"
        )
        raise InputError(msg)
    return [MixBlock(channels) for channels in first.channels[:-1]]
