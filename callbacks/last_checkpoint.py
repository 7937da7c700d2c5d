import signal
import threading
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

# Exit status of a process terminated by SIGTERM, as a shell reports it.
EXIT_STATUS = 128 + signal.SIGTERM
# Between agreements on stopping, in which the ranks wait for one another.
BATCHES_BETWEEN_AGREEMENTS = 4


class LastCheckpoint(Checkpoint):
    """Saves a checkpoint to resume from: at every epoch's end, within epochs, and on SIGTERM.

    Lightning's ModelCheckpoint saves its last checkpoint only when the metric has improved.
    Lightning calls Checkpoint callbacks last, in their order: after BestCheckpoint, this one saves
    the current best score. Nothing is saved between an epoch's last step and its validation, which
    a run resumed there would skip, nor between the batches of an optimizer step: a checkpoint has
    no gradients.

    Lightning's handler of SIGTERM, which clusters send before they take a machine back,
    communicates with the other ranks and hangs. Here it sets a flag, and the ranks agree on it
    between two steps.

    Args:
        path: Path of the checkpoint.
        every: Number of optimizer steps between checkpoints within an epoch; None for none.
    """

    def __init__(self, path: Path, every: int | None) -> None:
        self.path = path
        self.every = every
        self.step = 0
        self.due = False
        self.stopping = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Replace Lightning's handler of SIGTERM."""
        self.step = trainer.global_step
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save after every `every` steps, and save and stop after SIGTERM."""
        made, self.step = trainer.global_step > self.step, trainer.global_step
        self.due |= made and self.every is not None and self.step % self.every == 0
        every = trainer.val_check_batch
        validates = trainer.is_last_batch or (every is not None and (batch_idx + 1) % every == 0)
        if validates or not made:
            return
        if self.due:
            self._save(trainer)
        if (batch_idx + 1) % BATCHES_BETWEEN_AGREEMENTS == 0 and self._any_rank_stopping(trainer):
            self._save(trainer)
            raise SIGTERMException(EXIT_STATUS)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch with its validation, and stop after SIGTERM."""
        self._save(trainer)
        if self._any_rank_stopping(trainer):
            raise SIGTERMException(EXIT_STATUS)

    def _on_sigterm(self, *_: Any) -> None:
        self.stopping = True

    def _any_rank_stopping(self, trainer: Trainer) -> bool:
        """Return whether any rank has received SIGTERM."""
        if trainer.world_size == 1:
            return self.stopping
        flag = torch.tensor(float(self.stopping), device=trainer.strategy.root_device)
        return float(trainer.strategy.reduce(flag, reduce_op="sum")) > 0

    def _save(self, trainer: Trainer) -> None:
        self.due = False
        for logger in trainer.loggers:
            logger.save()  # a resumed run logs only what follows the checkpoint
        trainer.save_checkpoint(self.path)
