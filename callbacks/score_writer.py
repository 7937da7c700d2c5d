from pathlib import Path

from lightning import Callback, LightningModule, Trainer

from datamodules.face_forensics import FaceForensicsDataModule
from errors import InputError
from lightning_modules.detector import Detector
from records.folder import RunFolder
from records.scores import WRITTEN, write_scores


class ScoreWriter(Callback):
    """Writes the frame scores of a test pass, of the run and of each branch of a teacher.

    The test split and the validation split, on which the thresholds are chosen, are separate files;
    see `records.folder.RunFolder.scores`.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.files = RunFolder(folder)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the scores of all ranks and write them."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.test
        if not isinstance(pl_module, Detector) or not isinstance(
            datamodule, FaceForensicsDataModule
        ):
            msg = "scores are written for a Detector on a FaceForensicsDataModule"
            raise InputError(msg)
        table = {name: column.cpu().numpy() for name, column in pl_module.scores.compute().items()}
        if not trainer.is_global_zero:
            return
        columns = [name for name in WRITTEN if name != "score"]
        rows = datamodule.store.manifest.iloc[table["rows"]][columns]
        for index, head in enumerate(pl_module.heads):
            scored = rows.assign(score=table["scores"][:, index])
            for split in ("test", "val"):
                path = self.files.scores(head if index else None, split)
                write_scores(scored[scored["split"] == split], path)
