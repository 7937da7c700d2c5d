import time
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import BasePredictionWriter

from datamodules.crop_store_writer import CropStoreWriter, VideoCrops
from datamodules.layouts.record import VideoRecord


class FaceCropWriter(BasePredictionWriter):
    """Writes each video's crops as they come; rank 0 makes the manifest when all ranks are done.

    Args:
        store: Where to.
        records: The videos being predicted, in the data module's order.
        missing: By data set and compression, the listed videos that are not there.
    """

    def __init__(
        self,
        store: CropStoreWriter,
        records: Sequence[VideoRecord],
        missing: Mapping[str, Sequence[str]],
    ) -> None:
        super().__init__(write_interval="batch")
        self._store = store
        self._records = records
        self._missing = missing
        self._started = time.monotonic()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Make the store before any rank writes into it."""
        super().setup(trainer, pl_module, stage)
        if trainer.is_global_zero:
            self._store.create()
        trainer.strategy.barrier("crop store made")

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: VideoCrops,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the crops of one video."""
        self._store.write(self._records[batch["record"]], prediction)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Make the manifest.

        Not in `on_predict_end`: a rank that had no video does not get there, and the others would
        wait for it for ever.
        """
        trainer.strategy.barrier("crops written")
        if trainer.is_global_zero:
            self._store.finish(time.monotonic() - self._started, self._missing)
