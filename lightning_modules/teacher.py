import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor, nn

from errors import InputError
from lightning_modules.detector import Batch, Detector, classification_loss, unit_range
from lightning_modules.losses import pool
from lightning_modules.networks.backbone import Stage
from lightning_modules.networks.branch import BranchSpec
from lightning_modules.networks.multi_branch import MultiBranchNetwork


class TeacherModule(Detector):
    """Trains the teacher: dual-branch in the paper, with any number of branches here.

    Args:
        branches: Front-end and backbone of each branch, by the name that students call it by.
        fusion: concatenation or gated_sum, of the branches' pooled features.
        mix_stages: Numbers of timm's feature maps, or names of layers, after which two branches
            are mixed by MixBlocks.
        image_size: Side S of the crops, in pixels.
        auxiliary_weight: Weight of each branch's auxiliary loss; 0 trains the fused head alone.
        naming_weight: Weight of each branch's loss of naming the forgery's method, which leaves
            more in its features than real or fake does; 0 leaves these heads out.
        num_methods: Forgery methods to name.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        warmup: Share of the steps in which the learning rate rises.
        accumulate: Batches whose gradients are averaged to one optimizer step.
        gradient_clip: Largest norm of all gradients together; not clipped where not given.
        ema: Decay of the average of the weights over the steps, which is then what is validated
            and saved; not averaged where not given.
        compile: Backend of torch.compile for every branch, inductor for one; not compiled where
            not given.

    Raises:
        InputError: There is no branch, it cannot be built, or it is cut and cannot be compiled.
    """

    def __init__(
        self,
        branches: dict[str, BranchSpec],
        fusion: str = "concatenation",
        mix_stages: tuple[Stage, ...] = (),
        image_size: int = 256,
        auxiliary_weight: float = 0.5,
        naming_weight: float = 0.0,
        num_methods: int = 4,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        accumulate: int = 1,
        gradient_clip: float | None = None,
        ema: float | None = None,
        compile: str | None = None,
    ) -> None:
        super().__init__(
            image_size, learning_rate, weight_decay, warmup, accumulate, gradient_clip, ema, compile
        )
        if not branches:
            msg = "model.branches is empty: a teacher needs one branch at least"
            raise InputError(msg)
        if compile is not None and mix_stages:
            msg = (
                f"model.init_args.compile with mix_stages {list(mix_stages)}: a branch that is cut "
                "is not one function to compile: leave one of them out"
            )
            raise InputError(msg)
        self.save_hyperparameters()
        self.heads = ("detector", *branches)
        self.multi_branch = MultiBranchNetwork(branches, image_size, fusion, mix_stages)
        self.auxiliary_weight = auxiliary_weight
        self.naming_weight = naming_weight
        self.num_methods = num_methods
        widths = self.multi_branch.widths if naming_weight else {}
        self.namers = nn.ModuleDict({b: nn.Linear(c, 1 + num_methods) for b, c in widths.items()})

    @property
    def network(self) -> MultiBranchNetwork:
        """The network of all branches."""
        return self.multi_branch

    def on_fit_start(self) -> None:
        """Check that every method that is trained on has a name.

        Raises:
            InputError: There are more methods than names.
        """
        super().on_fit_start()
        there = self.trainer.datamodule.forgeries  # type: ignore[attr-defined]
        if self.namers and len(there) > self.num_methods:
            msg = (
                f"model.init_args.num_methods is {self.num_methods}, but the data has "
                f"{len(there)}: {', '.join(there)}: raise it"
            )
            raise InputError(msg)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Give the logits `[B]` of the fused head and of each branch."""
        return self._classify(self.multi_branch.features(images))

    def loss(self, batch: Batch) -> Tensor:
        """Fused cross-entropy plus the branches' auxiliary ones."""
        features = self.multi_branch.features(unit_range(batch["image"]))
        logits = self._classify(features)
        losses = {name: classification_loss(x, batch["label"]) for name, x in logits.items()}
        loss = losses.pop("detector")
        for branch, auxiliary in losses.items():
            self.log(f"train/loss_{branch}", auxiliary)
            loss = loss + self.auxiliary_weight * auxiliary
        for branch, namer in self.namers.items():
            naming = F.cross_entropy(namer(pool(features[branch])), batch["method"])
            self.log(f"train/loss_naming_{branch}", naming)
            loss = loss + self.naming_weight * naming
        return loss

    def _classify(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        logits = self.multi_branch.classify(features)
        return {"detector": logits.pop("fused"), **logits}
