import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

# What a shell reports of a process that SIGTERM ended.
EXIT_STATUS = 128 + signal.SIGTERM
# Ranks agree on whether to stop after so many batches: each time they wait for one another.
BATCHES_BETWEEN_AGREEMENTS = 4


class LastCheckpoint(Checkpoint):
    """Saves where a run can go on: at every epoch's end, within it, and when it must stop.

    Lightning's ModelCheckpoint saves its last one only where the metric has risen, and warns of
    every step in manual optimization. Lightning calls each Checkpoint last, in their order: behind
    BestCheckpoint this one saves what is the best by now.

    A cluster says by SIGTERM that it takes the machine back. Lightning's handler talks to the other
    ranks from within the signal, whatever they are just doing, and hangs; so the signal only leaves
    a note here, and the ranks agree on it between two steps.

    Nothing is saved between a step and the validation that follows it: Lightning takes that for
    done in a run that goes on there. The epoch's end saves both.

    Args:
        path: Of the checkpoint.
        every: Optimizer steps after which one is saved within an epoch; none where not given.
    """

    def __init__(self, path: Path, every: int | None) -> None:
        self.path = path
        self.every = every
        self.step = 0
        self.due = False
        self.asked_to_stop = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take SIGTERM over from Lightning."""
        self.step = trainer.global_step
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._ask_to_stop)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save after every so many steps, and stop where it is asked for."""
        made, self.step = trainer.global_step > self.step, trainer.global_step
        self.due |= made and self.every is not None and self.step % self.every == 0
        every = trainer.val_check_batch
        if trainer.is_last_batch or (every is not None and (batch_idx + 1) % every == 0):
            return
        if self.due:
            self._save(trainer)
        if (batch_idx + 1) % BATCHES_BETWEEN_AGREEMENTS == 0 and self._must_stop(trainer):
            self._save(trainer)
            raise SIGTERMException(EXIT_STATUS)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch, with its validation, and stop where it is asked for."""
        self._save(trainer)
        if self._must_stop(trainer):
            raise SIGTERMException(EXIT_STATUS)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True

    def _must_stop(self, trainer: Trainer) -> bool:
        """Whether any rank has been asked to stop."""
        if trainer.world_size == 1:
            return self.asked_to_stop
        asked = torch.tensor(float(self.asked_to_stop), device=trainer.strategy.root_device)
        return float(trainer.strategy.reduce(asked, reduce_op="sum")) > 0

    def _save(self, trainer: Trainer) -> None:
        self.due = False
        for logger in trainer.loggers:
            logger.save()  # what was logged before the checkpoint is not logged again after it
        trainer.save_checkpoint(self.path)
