from dataclasses import dataclass
from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from datamodules.face_forensics import FaceForensicsDataModule
from errors import InputError
from lightning_modules.distill import DistillModule


@dataclass(frozen=True)
class _Step:
    number: int
    loss: Tensor
    rows: Tensor
    norms: dict[str, Tensor]


class FiniteLossGuard(Callback):
    """Stops a run whose loss is not finite, and says at which step, on which videos.

    A step's loss is looked at when the next one has been made: by then it is there, and a GPU's
    host need not wait for it.

    Raises:
        InputError: The loss is not finite.
    """

    def __init__(self) -> None:
        self.last: _Step | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the step before, and remember this one."""
        self._check(trainer)
        norms: dict[str, Tensor] = {}
        distillation = pl_module.distillation if isinstance(pl_module, DistillModule) else None
        if distillation is not None and distillation.homogenizer.last is not None:
            seen = distillation.homogenizer.last.norms
            norms = dict(zip(distillation.tasks, seen, strict=True))
        self.last = _Step(trainer.global_step, outputs["loss"], batch["row"], norms)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the epoch's last step."""
        self._check(trainer)

    def _check(self, trainer: Trainer) -> None:
        if self.last is None or self.last.loss.isfinite():
            return
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.fit
        videos = "unknown videos"
        if isinstance(datamodule, FaceForensicsDataModule):
            videos = ", ".join(datamodule.video_names(self.last.rows.tolist()))
        norms = ", ".join(f"{task} {norm:.3g}" for task, norm in self.last.norms.items())
        msg = (
            f"the loss is {self.last.loss:g} at step {self.last.number}, on {videos}"
            f"{f'; gradient norms: {norms}' if norms else ''}: look at these videos, lower "
            "model.init_args.learning_rate, or set model.init_args.gradient_clip"
        )
        raise InputError(msg)
