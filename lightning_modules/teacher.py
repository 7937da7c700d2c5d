from torch import Tensor

from errors import InputError
from lightning_modules.detector import Batch, Detector, classification_loss, unit_range
from lightning_modules.networks.branch import BranchSpec
from lightning_modules.networks.multi_branch import MultiBranchNetwork


class TeacherModule(Detector):
    """Trains the teacher: dual-branch in the paper, with any number of branches here.

    Args:
        branches: Front-end and backbone of each branch, by the name that students call it by.
        fusion: concatenation or gated_sum, of the branches' pooled features.
        mix_stages: Numbers of timm's feature maps at which two branches are mixed by MixBlocks.
        image_size: Side S of the crops, in pixels.
        auxiliary_weight: Weight of each branch's auxiliary loss; 0 trains the fused head alone.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        warmup: Share of the steps in which the learning rate rises.

    Raises:
        InputError: There is no branch, or it cannot be built.
    """

    def __init__(
        self,
        branches: dict[str, BranchSpec],
        fusion: str = "concatenation",
        mix_stages: tuple[int, ...] = (),
        image_size: int = 256,
        auxiliary_weight: float = 0.5,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
    ) -> None:
        super().__init__(image_size, learning_rate, weight_decay, warmup)
        if not branches:
            msg = "model.branches is empty: a teacher needs one branch at least"
            raise InputError(msg)
        self.save_hyperparameters()
        self.heads = ("detector", *branches)
        self.multi_branch = MultiBranchNetwork(branches, image_size, fusion, mix_stages)
        self.auxiliary_weight = auxiliary_weight

    @property
    def network(self) -> MultiBranchNetwork:
        """The network of all branches."""
        return self.multi_branch

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Give the logits `[B]` of the fused head and of each branch."""
        logits = self.multi_branch.classify(self.multi_branch.features(images))
        return {"detector": logits.pop("fused"), **logits}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Fused cross-entropy plus the branches' auxiliary ones."""
        logits = self.logits(unit_range(batch["image"]))
        losses = {name: classification_loss(x, batch["label"]) for name, x in logits.items()}
        loss = losses.pop("detector")
        for branch, auxiliary in losses.items():
            self.log(f"train/loss_{branch}", auxiliary)
            loss = loss + self.auxiliary_weight * auxiliary
        self.log("train/loss", loss, prog_bar=True)
        return loss
