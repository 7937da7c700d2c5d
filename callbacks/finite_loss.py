import math
from dataclasses import dataclass
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from callbacks.gradient_monitor import distillation_of
from datamodules.crops.manifest import video_names
from datamodules.face_forensics import FaceForensicsDataModule
from errors import InputError

# Minimum of the mean that a loss is compared with: near zero, large ratios are harmless.
LEAST = 1.0
SMOOTHING = 0.05


@dataclass(frozen=True)
class _Step:
    number: int
    loss: Tensor
    rows: Tensor
    norms: dict[str, Tensor]


class FiniteLossGuard(Callback):
    """Stops a run whose loss is not finite or explodes, and reports the step and its videos.

    No checkpoint is saved after such a step, so the last one is usable. A step's loss is checked
    after the next step, so the host does not wait for the GPU.

    Args:
        explosion: Maximum ratio of a loss to the mean of the losses before it, or to `LEAST`.
    """

    def __init__(self, explosion: float) -> None:
        self.explosion = explosion
        self.last: _Step | None = None
        self.mean: float | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the previous step and keep this one."""
        self._check(trainer)
        if self.last is not None:
            loss = abs(float(self.last.loss))
            self.mean = loss if self.mean is None else self.mean + SMOOTHING * (loss - self.mean)
        norms: dict[str, Tensor] = {}
        if (distillation := distillation_of(pl_module)) and distillation.homogenizer.last:
            seen = distillation.homogenizer.last.norms
            norms = dict(zip(distillation.tasks, seen, strict=True))
        self.last = _Step(trainer.global_step, outputs["loss"], batch["row"], norms)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the epoch's last step."""
        self._check(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, _: Any) -> None:
        """Refuse to save weights that are not finite on any rank."""
        self._check(trainer)
        sums = [p.detach().sum() for p in pl_module.parameters() if p.requires_grad]
        broken = (~torch.stack([s.float() for s in sums]).isfinite()).any().float()
        if trainer.world_size > 1:
            broken = trainer.strategy.reduce(broken, reduce_op="sum")
        if broken:
            raise InputError(self._message(trainer, "a weight is not finite"))

    def _check(self, trainer: Trainer) -> None:
        if self.last is None:
            return
        loss = abs(float(self.last.loss))
        if not math.isfinite(loss):
            raise InputError(self._message(trainer, f"the loss is {float(self.last.loss):g}"))
        if self.mean is not None and loss > self.explosion * max(self.mean, LEAST):
            found = f"the loss is {loss:.3g}, after a mean of {self.mean:.3g},"
            raise InputError(self._message(trainer, found))

    def _message(self, trainer: Trainer, found: str) -> str:
        assert self.last is not None
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.fit
        videos = "unknown videos"
        if isinstance(datamodule, FaceForensicsDataModule):
            shown = datamodule.store.manifest.iloc[self.last.rows.tolist()]
            videos = ", ".join(video_names(shown))
        norms = ", ".join(f"{task} {norm:.3g}" for task, norm in self.last.norms.items())
        return (
            f"{found} at step {self.last.number}, on {videos}"
            f"{f'; gradient norms: {norms}' if norms else ''}: check these videos, lower "
            "model.init_args.learning_rate, or set model.init_args.gradient_clip; the last "
            "checkpoint is from an earlier step"
        )
