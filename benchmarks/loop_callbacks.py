"""Callbacks that measure the training loop, and the same steps in plain PyTorch."""

import sys
import time
from typing import Any, ClassVar

import torch
from lightning import Callback, LightningModule, Trainer

from lightning_modules.detector import unit_range
from lightning_modules.distill import DistillModule
from lightning_modules.losses import classification_loss


class StepTimer(Callback):
    """Records when each step of the last run began and ended."""

    steps: ClassVar[list[tuple[int, float, float]]] = []
    first_batch: ClassVar[dict[str, Any]] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        StepTimer.steps = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        StepTimer.first_batch = batch
        self.began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        wait_for_device()
        StepTimer.steps.append((trainer.current_epoch, self.began, time.perf_counter()))


class ExitAfterFirstStep(Callback):
    """Ends the process after the first step."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        sys.exit(0)


class PlainLoop(Callback):
    """Runs the same steps without Trainer, loader or logging on one batch, after every epoch."""

    seconds: ClassVar[list[tuple[int, float]]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        PlainLoop.seconds = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        batch = {name: value.clone() for name, value in StepTimer.first_batch.items()}
        optimizer = pl_module.optimizers().optimizer
        for _ in range(trainer.num_training_batches):
            wait_for_device()
            began = time.perf_counter()
            _loss(pl_module, batch).backward()
            optimizer.step()
            optimizer.zero_grad()
            if pl_module.distillation is not None:
                pl_module.distillation.homogenizer.step_rotations(1e-4)
            wait_for_device()
            PlainLoop.seconds.append((trainer.current_epoch, time.perf_counter() - began))


def _loss(module: DistillModule, batch: Any) -> torch.Tensor:
    """The loss of a batch, without logging."""
    images = unit_range(batch["image"])
    targets = module.teacher.targets(images, batch["sample"]) if module.teacher else {}
    z, last = module.student.features(images)
    distances = {} if module.distillation is None else module.distillation(z, targets)[1]
    loss = classification_loss(module.student.classify(last), batch["label"])
    return loss + sum(module.target_weights[name] * d for name, d in distances.items())


def wait_for_device() -> None:
    """Wait until a GPU has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
