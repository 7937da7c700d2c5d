import math
from abc import abstractmethod
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, distributed, nn
from torch.optim.lr_scheduler import LambdaLR

from errors import InputError, look_up
from lightning_modules.networks.backbone import (
    count_macs,
    count_parameters,
    without_pretrained_weights,
)
from lightning_modules.networks.branch import Branch
from lightning_modules.score_table import ScoreTable, detection_metrics

Batch = dict[str, Tensor]


class Detector(LightningModule):
    """What teacher and student share: the data's form, evaluation, optimizer and schedule.

    A batch holds `image` uint8 `[B, 3, S, S]`, `label` (1 = fake), `row` and `video`, each `[B]`.

    Args:
        image_size: Side S of the crops, in pixels.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        warmup: Share of the steps in which the learning rate rises linearly; a cosine follows.
        accumulate: Batches whose gradients are averaged to one optimizer step.
        gradient_clip: Largest norm of all gradients together; not clipped where not given.
        ema: Decay of the average of the weights over the steps, which is then what is validated
            and saved; not averaged where not given.
        compile: Backend of torch.compile for every branch, inductor for one; not compiled where
            not given.

    Raises:
        InputError: The decay is not between 0 and 1, or there is no such backend.
    """

    heads: tuple[str, ...] = ("detector",)
    """Names of the logits, the detector's own first."""

    def __init__(
        self,
        image_size: int,
        learning_rate: float,
        weight_decay: float,
        warmup: float,
        accumulate: int,
        gradient_clip: float | None,
        ema: float | None,
        compile: str | None,
    ) -> None:
        super().__init__()
        if ema is not None and not 0 < ema < 1:
            msg = f"model.init_args.ema is {ema}: expected a decay between 0 and 1, e.g. 0.999"
            raise InputError(msg)
        self.automatic_optimization = False
        self.image_size = image_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.accumulate = accumulate
        self.gradient_clip = gradient_clip
        self.ema = ema
        if compile is not None:
            there = torch.compiler.list_backends(exclude_tags=())
            look_up("model.init_args.compile: backend", compile, dict.fromkeys(there))
        self.backend = compile
        self.scores = ScoreTable()

    def setup(self, stage: str) -> None:
        """Lay the weights out channels last, in which convolutions are quickest on every device."""
        self.network.to(memory_format=torch.channels_last)

    def on_fit_start(self) -> None:
        """Compile the branches, a frozen teacher's too; names in a checkpoint stay as they are."""
        if self.backend is not None:
            for part in self.modules():
                if isinstance(part, Branch):
                    part.compile(backend=self.backend)

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """The detector that is deployed: images in [0, 1] to the logit of being fake."""

    @abstractmethod
    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Give the logit `[B]` of every head, for images in [0, 1]."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Give the training loss of a batch, and log its parts."""

    def cost(self) -> dict[str, int]:
        """Parameters, multiply-accumulates and input size of the deployed detector."""
        # Within compiled code no operation is seen to be counted.
        seen: AbstractContextManager[Any] = nullcontext()
        if self.backend is not None:
            seen = torch.compiler.set_stance("force_eager")
        with seen:
            macs = count_macs(self.network, self.image_size)
        return {
            "params": count_parameters(self.network),
            "macs": macs,
            "input_size": self.image_size,
        }

    def forward(self, images: Tensor) -> Tensor:
        """Give the probability `[B]` of being fake, for uint8 images `[B, 3, S, S]`."""
        return self.network(unit_range(images)).sigmoid()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One backward; for every `accumulate` batches, and for an epoch's last, one step."""
        optimizer: Any = self.optimizers()
        steps = (batch_idx + 1) % self.accumulate == 0 or self.trainer.is_last_batch
        with optimizer.toggle_model(sync_grad=steps):
            loss = self.loss(batch)
            self.log("train/loss", loss, prog_bar=True)
            # Lightning's autocast spans all of this; Gramian and rotations need whole precision.
            with torch.autocast(self.device.type, enabled=False):
                self.manual_backward(loss / self.accumulate)
        if steps:
            with torch.autocast(self.device.type, enabled=False):
                self.step(optimizer)
        return loss.detach()

    def step(self, optimizer: Any) -> None:
        """Step the optimizer and its schedule."""
        schedule: Any = self.lr_schedulers()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradients, which are unscaled by now under mixed precision."""
        if self.gradient_clip is not None:
            trained = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(trained, self.gradient_clip)

    def on_validation_start(self) -> None:
        """Validate what a checkpoint would hold: every rank takes rank 0's batch statistics."""
        self.scores.begin(len(self.heads))
        if distributed.is_available() and distributed.is_initialized():
            for buffer in self.network.buffers():
                distributed.broadcast(buffer, 0)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch."""
        self._score(batch)

    def on_validation_epoch_end(self) -> None:
        """Log loss, frame and video AUC of every head over the whole validation split."""
        table = self.scores.compute()
        for index, head in enumerate(self.heads):
            prefix = "val" if index == 0 else f"val/{head}"
            for name, value in detection_metrics(table, index).items():
                # The table is gathered already: averaging equal values changes nothing.
                self.log(f"{prefix}/{name}", value.float(), prog_bar=index == 0, sync_dist=True)
        self.scores.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch; the table is what the score writer reads."""
        self._score(batch)

    def on_test_start(self) -> None:
        """Begin with an empty table."""
        self.scores.begin(len(self.heads))

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Give the probability `[B]` of being fake."""
        return self(batch["image"])

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with a linear warm-up and a cosine to zero, stepped every batch."""
        trained = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, self.learning_rate, weight_decay=self.weight_decay)
        steps = self._optimizer_steps()
        warmup_steps = max(1, round(self.warmup * steps))

        def factor(step: int) -> float:
            if step < warmup_steps:
                return (step + 1) / warmup_steps
            progress = (step - warmup_steps) / max(1, steps - warmup_steps)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

        schedule = LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _optimizer_steps(self) -> int:
        # In manual optimization Lightning takes every batch for a step.
        batches = int(self.trainer.estimated_stepping_batches)
        if self.accumulate == 1 or self.trainer.max_epochs in (None, -1):
            return batches
        an_epoch = math.ceil(int(self.trainer.num_training_batches) / self.accumulate)
        return min(batches, an_epoch * self.trainer.max_epochs)

    def _score(self, batch: Batch) -> None:
        logits = self.logits(unit_range(batch["image"]))
        scores = torch.stack([logits[head] for head in self.heads], dim=1).float().sigmoid()
        self.scores.update(batch["row"], batch["video"], batch["label"], scores)


def unit_range(images: Tensor) -> Tensor:
    """Bring uint8 images to [0, 1], channels last in memory."""
    return images.to(torch.get_default_dtype(), memory_format=torch.channels_last) / 255


def classification_loss(logit: Tensor, label: Tensor) -> Tensor:
    """Binary cross-entropy of logits `[B]` against labels `[B]`, 1 = fake."""
    return F.binary_cross_entropy_with_logits(logit, label.to(logit))


def load_checkpoint(module: type[Any], path: str) -> Any:
    """Load a module from a checkpoint without unpickling code or fetching weights, onto the CPU.

    Raises:
        InputError: There is no such file, or it is not a checkpoint of this module.
    """
    if not Path(path).is_file():
        msg = f"{path}: no such file, expected a checkpoint of {module.__name__}"
        raise InputError(msg)
    try:
        with without_pretrained_weights():
            return module.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    # A file cut short, another module's, or one of another version: each fails its own way.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        msg = f"{path}: not a checkpoint of {module.__name__}: {reason}"
        raise InputError(msg) from error
