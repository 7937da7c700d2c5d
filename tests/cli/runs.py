"""Runs of the command line, and what they leave."""

import json
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def distil(fit, teacher: Path, method: str, *words: str, **options) -> Path:
    alone = method.startswith("student")
    given = [] if alone else [f"--model.init_args.teacher={checkpoint(teacher)}"]
    return fit(("student/mini", f"methods/{method}"), *given, *words, **options)


def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"


class StopAfterEpoch(Callback):
    """Ends a run at its second epoch, as if it had been interrupted after the checkpoint."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask the trainer to stop."""
        trainer.should_stop = trainer.current_epoch >= 1


class RowsOfEpochs(Callback):
    """Writes the rows of each epoch's crops, in their order, into the run's folder."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Add a batch."""
        path = Path(trainer.default_root_dir) / f"rows-{trainer.current_epoch}.txt"
        with path.open("a") as file:
            file.writelines(f"{row}\n" for row in batch["row"].tolist())
