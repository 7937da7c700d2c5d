from torch import Tensor

from lightning_modules.detector import Batch, Detector, classification_loss, unit_range
from lightning_modules.networks.backbone import BackboneSpec
from lightning_modules.networks.dual_branch import BRANCHES, DualBranchNetwork


class TeacherModule(Detector):
    """Trains the dual-branch teacher.

    Args:
        spatial: Backbone of the RGB branch.
        frequency: Backbone of the FAD branch.
        image_size: Side S of the crops, in pixels.
        auxiliary_weight: Weight of each branch's auxiliary loss; 0 trains the fused head alone.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        warmup: Share of the steps in which the learning rate rises.
    """

    heads = ("detector", *BRANCHES)

    def __init__(
        self,
        spatial: BackboneSpec,
        frequency: BackboneSpec,
        image_size: int = 256,
        auxiliary_weight: float = 0.5,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
    ) -> None:
        super().__init__(image_size, learning_rate, weight_decay, warmup)
        self.save_hyperparameters()
        self.dual_branch = DualBranchNetwork(spatial, frequency, image_size)
        self.auxiliary_weight = auxiliary_weight

    @property
    def network(self) -> DualBranchNetwork:
        """The dual-branch network."""
        return self.dual_branch

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Give the logits `[B]` of the fused head and of each branch."""
        logits = self.dual_branch.classify(self.dual_branch.features(images))
        return {"detector": logits.pop("fused"), **logits}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Fused cross-entropy plus the branches' auxiliary ones."""
        logits = self.logits(unit_range(batch["image"]))
        losses = {name: classification_loss(x, batch["label"]) for name, x in logits.items()}
        for branch in BRANCHES:
            self.log(f"train/loss_{branch}", losses[branch])
        loss = losses["detector"] + self.auxiliary_weight * sum(losses[b] for b in BRANCHES)
        self.log("train/loss", loss, prog_bar=True)
        return loss
