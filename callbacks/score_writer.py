from pathlib import Path

from lightning import Callback, LightningModule, Trainer

from datamodules.crops.test_sets import describe_rows
from datamodules.face_forensics import FaceForensicsDataModule
from lightning_modules.detector import Detector
from records.folder import RunFolder
from records.scores import WRITTEN, write_scores


class ScoreWriter(Callback):
    """Writes the frame scores of a test pass: the detector's, and those of a teacher's branches.

    The validation split, on which the thresholds are chosen, has files of its own; see
    `records.folder.RunFolder.scores`.
    """

    def __init__(self, folder: Path) -> None:
        self.files = RunFolder(folder)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the scores of all ranks and write them."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.test
        assert isinstance(pl_module, Detector)
        assert isinstance(datamodule, FaceForensicsDataModule)
        table = {name: column.cpu().numpy() for name, column in pl_module.scores.compute().items()}
        if not trainer.is_global_zero:
            return
        columns = [*(name for name in WRITTEN if name != "score"), *datamodule.slices]
        rows = describe_rows(datamodule.tested, table["rows"], columns)
        for index, head in enumerate(pl_module.heads):
            scored = rows.assign(score=table["scores"][:, index])
            for split in ("test", "val"):
                path = self.files.scores(head if index else None, split)
                write_scores(scored[scored["split"] == split], path, datamodule.slices)
