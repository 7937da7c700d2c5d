from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException


class LastCheckpoint(Callback):
    """Saves where a run can go on: at every epoch's end, within it, and when it must stop.

    Lightning's ModelCheckpoint saves its last one only where the metric has risen, and warns of
    every step in manual optimization. A cluster says by SIGTERM that it takes the machine back;
    Lightning then ends the step that is being made, on every rank.

    Args:
        path: Of the checkpoint.
        every: Optimizer steps after which one is saved within an epoch; none where not given.
    """

    def __init__(self, path: Path, every: int | None) -> None:
        self.path = path
        self.every = every
        self.saved = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save after every so many steps."""
        step = trainer.global_step
        if self.every is not None and step % self.every == 0 and step != self.saved:
            self.saved = step
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch, with its validation."""
        self._save(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Save, where it was a SIGTERM while training."""
        if isinstance(exception, SIGTERMException) and trainer.training:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        for logger in trainer.loggers:
            logger.save()  # what was logged before the checkpoint is not logged again after it
        trainer.save_checkpoint(self.path)
