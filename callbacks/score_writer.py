from pathlib import Path

import pandas as pd
from lightning import Callback, LightningModule, Trainer

from datamodules.face_forensics import FaceForensicsDataModule
from errors import InputError
from lightning_modules.detector import Detector

SCORED = ["dataset", "compression", "method", "video", "target", "label", "split", "frame"]


class ScoreWriter(Callback):
    """Writes every frame's score of a test pass.

    `scores.csv` holds the test split, `scores-val.csv` the validation split, on which the threshold
    is chosen; `scores-spatial.csv` and so on those of a teacher's branches.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the ranks' scores and write them."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.test
        if not isinstance(pl_module, Detector) or not isinstance(
            datamodule, FaceForensicsDataModule
        ):
            msg = "scores are written for a Detector on a FaceForensicsDataModule"
            raise InputError(msg)
        table = {name: column.cpu().numpy() for name, column in pl_module.scores.compute().items()}
        if not trainer.is_global_zero:
            return
        rows = datamodule.store.manifest.iloc[table["rows"]][SCORED]
        for index, head in enumerate(pl_module.heads):
            scored = rows.assign(score=table["scores"][:, index])
            name = "scores" if index == 0 else f"scores-{head}"
            for split, suffix in (("test", ""), ("val", "-val")):
                table_path = self.folder / f"{name}{suffix}.csv"
                write_csv(scored[scored["split"] == split], table_path)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    table.to_csv(partial, index=False)
    partial.replace(path)
