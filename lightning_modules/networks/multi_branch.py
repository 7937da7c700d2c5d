from collections.abc import Collection, Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from errors import InputError
from lightning_modules.networks.backbone import Stage
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
        mix_stages: Numbers of timm's feature maps, or names of layers, after which two branches
            exchange what they see by F3-Net's MixBlock.

    Raises:
        InputError: A name does not exist, or the branches cannot be mixed at these stages.
    """

    def __init__(
        self,
        branches: Mapping[str, BranchSpec],
        image_size: int,
        fusion: str = "concatenation",
        mix_stages: Sequence[Stage] = (),
    ) -> None:
        super().__init__()
        built = {name: Branch(spec, image_size) for name, spec in branches.items()}
        self.branches = nn.ModuleDict(built)
        self.widths = {name: branch.out_channels for name, branch in built.items()}
        self.mix_stages = tuple(mix_stages)
        self.mix_blocks = nn.ModuleDict(_mix_blocks(built, mix_stages))
        self.heads = nn.ModuleDict({name: nn.Linear(c, 1) for name, c in self.widths.items()})
        self.fusion = create_fusion(fusion, list(self.widths.values()))
        self.classifier = nn.Linear(self.fusion.out_channels, 1)

    def features(
        self, x: Tensor, stage: Stage | None = None, names: Collection[str] | None = None
    ) -> dict[str, Tensor]:
        """Map images in [0, 1] `[B, 3, S, S]` to each branch's `[B, C, h, w]`.

        Args:
            x: The images.
            stage: Whose maps to give; each branch's last where not given.
            names: Branches that are asked for, where not all are. Those that do not exchange
                anything with them are not run.
        """
        branches = {
            name: cast(Branch, branch)
            for name, branch in self.branches.items()
            if names is None or name in names or self.mix_blocks
        }
        if stage is None and not self.mix_blocks:
            return {name: branch(x) for name, branch in branches.items()}
        first = cast(Branch, next(iter(self.branches.values()))).backbone
        order = list(first.layers)
        cuts: list[Stage] = sorted(
            {*self.mix_stages} | ({stage} if stage is not None else set()),
            key=lambda cut: order.index(first.layer_at(cut)),
        )
        chains = {name: branch.backbone.segments(cuts) for name, branch in branches.items()}
        maps = {name: branch.look(x) for name, branch in branches.items()}
        for depth, end in enumerate([*cuts, None]):
            maps = {name: chains[name][depth](map_) for name, map_ in maps.items()}
            if end in self.mix_stages:
                mixed = self.mix_blocks[str(end)](*maps.values())
                maps = dict(zip(maps, mixed, strict=True))
            if end == stage:
                break
        return maps

    def widths_at(self, stage: Stage | None) -> dict[str, int]:
        """Give the channels of each branch's maps at a stage, or of its last.

        Raises:
            InputError: A branch has no such stage, or cannot be cut there.
        """
        if stage is None:
            return self.widths
        backbones = {name: cast(Branch, b).backbone for name, b in self.branches.items()}
        return {name: backbone.channels_at(stage) for name, backbone in backbones.items()}

    def classify(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Give the logits `[B]` of "fused" and of each branch's auxiliary head."""
        pooled = {name: features[name].mean(dim=(2, 3)) for name in self.branches}
        fused = self.classifier(self.fusion(list(pooled.values())))
        branches = {name: head(pooled[name]).squeeze(1) for name, head in self.heads.items()}
        return {"fused": fused.squeeze(1), **branches}

    def forward(self, x: Tensor) -> Tensor:
        """Give the fused logit `[B]` of being fake."""
        return self.classify(self.features(x))["fused"]


def _mix_blocks(branches: Mapping[str, Branch], stages: Sequence[Stage]) -> dict[str, MixBlock]:
    if not stages:
        return {}
    if len(branches) != 2:
        msg = (
            f"mix_stages {list(stages)}: a MixBlock joins two branches, there are "
            f"{len(branches)}: leave mix_stages out, or take two branches"
        )
        raise InputError(msg)
    first, second = (branch.backbone for branch in branches.values())
    blocks = {}
    for stage in stages:
        one, other = (backbone.channels_at(stage) for backbone in (first, second))
        if one != other:
            msg = (
                f"mix_stages: at stage {stage} the branches have {one} and {other} channels; a "
                "MixBlock needs equal ones: choose equal backbones, or another stage"
            )
            raise InputError(msg)
        blocks[str(stage)] = MixBlock(one)
    return blocks
