from typing import Any

import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor, nn

from datamodules.batch import Batch
from errors import InputError, require_number
from lightning_modules.detector import Detector, unit_range
from lightning_modules.losses import classification_loss, pool
from lightning_modules.networks.backbone import BranchSpec
from lightning_modules.networks.multi_branch import MultiBranchNetwork


class TeacherModule(Detector):
    """Trains the teacher: dual-branch in the paper, with any number of branches here.

    Args:
        branches: Front-end and backbone of each branch, by the name that a student's targets use.
        fusion: concatenation or gated_sum, of the branches' pooled features.
        auxiliary_weight: Weight of each branch's auxiliary loss; 0 trains the fused head alone.
        naming_weight: Weight of each branch's loss of naming the forgery method, which keeps more
            information in its features than real or fake does; 0 omits these heads.
        num_methods: Number of forgery methods to name.
        training: Options of Detector.

    Raises:
        InputError: A value is out of range, or a branch cannot be built.
    """

    def __init__(
        self,
        branches: dict[str, BranchSpec],
        fusion: str = "concatenation",
        auxiliary_weight: float = 0.5,
        naming_weight: float = 0.0,
        num_methods: int = 4,
        **training: Any,
    ) -> None:
        super().__init__(**training)
        if not branches:
            msg = "model.init_args.branches is empty: expected one branch or more"
            raise InputError(msg)
        require_number("model.init_args.auxiliary_weight", auxiliary_weight, least=0)
        require_number("model.init_args.naming_weight", naming_weight, least=0)
        require_number("model.init_args.num_methods", num_methods, least=1)
        self.save_hyperparameters()
        self.heads = ("detector", *branches)
        self.multi_branch = MultiBranchNetwork(branches, self.image_size, fusion)
        self.auxiliary_weight = auxiliary_weight
        self.naming_weight = naming_weight
        self.num_methods = num_methods
        widths = self.multi_branch.widths if naming_weight else {}
        heads = {name: nn.Linear(width, 1 + num_methods) for name, width in widths.items()}
        self.method_heads = nn.ModuleDict(heads)

    @property
    def network(self) -> MultiBranchNetwork:
        """The network of all branches."""
        return self.multi_branch

    def prepare_data(self) -> None:
        """Check that the method heads have an output for every trained method.

        Raises:
            InputError: The data has more methods.
        """
        methods = getattr(self.trainer.datamodule, "forgeries", [])  # type: ignore[attr-defined]
        if self.method_heads and len(methods) > self.num_methods:
            msg = (
                f"model.init_args.num_methods is {self.num_methods}, but the data has "
                f"{len(methods)}: {', '.join(methods)}: raise it"
            )
            raise InputError(msg)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Compute the logits `[B]` of the fused head and of each branch."""
        return self._classify(self.multi_branch.features(images))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Minimize the fused cross-entropy, the branches' auxiliary ones and the naming losses."""
        with self.accumulation(batch_idx) as (_, last):
            features = self.multi_branch.features(unit_range(batch["image"]))
            logits = self._classify(features)
            losses = {name: classification_loss(x, batch["label"]) for name, x in logits.items()}
            total = losses.pop("detector")
            for auxiliary in losses.values():
                total = total + self.auxiliary_weight * auxiliary
            for branch, head in self.method_heads.items():
                naming = F.cross_entropy(head(pool(features[branch])), batch["method"])
                losses[f"naming_{branch}"] = naming
                total = total + self.naming_weight * naming
            self.accumulate_gradients(losses, total)
        if last:
            self.step_optimizer()
        return total.detach()

    def _classify(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        logits = self.multi_branch.classify(features)
        return {"detector": logits.pop("fused"), **logits}
