import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

# What a shell reports of a process that SIGTERM ended.
EXIT_STATUS = 128 + signal.SIGTERM
# Ranks agree on whether to stop after so many batches: each time they wait for one another.
BATCHES_BETWEEN_AGREEMENTS = 4


class LastCheckpoint(Callback):
    """Saves where a run can go on: at every epoch's end, within it, and when it must stop.

    Lightning's ModelCheckpoint saves its last one only where the metric has risen, and warns of
    every step in manual optimization.

    A cluster says by SIGTERM that it takes the machine back. Lightning's handler talks to the other
    ranks from within the signal, whatever they are just doing, and hangs; so the signal only leaves
    a note here, and the ranks agree on it between two steps.

    Args:
        path: Of the checkpoint.
        every: Optimizer steps after which one is saved within an epoch; none where not given.
    """

    def __init__(self, path: Path, every: int | None) -> None:
        self.path = path
        self.every = every
        self.saved = 0
        self.asked_to_stop = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take SIGTERM over from Lightning."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._ask_to_stop)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save after every so many steps, and stop where it is asked for."""
        step = trainer.global_step
        if self.every is not None and step % self.every == 0 and step != self.saved:
            self.saved = step
            self._save(trainer)
        if (batch_idx + 1) % BATCHES_BETWEEN_AGREEMENTS == 0 and self._must_stop(trainer):
            self._save(trainer)
            raise SIGTERMException(EXIT_STATUS)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch, with its validation."""
        self._save(trainer)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True

    def _must_stop(self, trainer: Trainer) -> bool:
        """Whether any rank has been asked to stop."""
        if trainer.world_size == 1:
            return self.asked_to_stop
        asked = torch.tensor(float(self.asked_to_stop), device=trainer.strategy.root_device)
        return float(trainer.strategy.reduce(asked, reduce_op="sum")) > 0

    def _save(self, trainer: Trainer) -> None:
        for logger in trainer.loggers:
            logger.save()  # what was logged before the checkpoint is not logged again after it
        trainer.save_checkpoint(self.path)
