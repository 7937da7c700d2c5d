import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import lightning.pytorch as pl

from datamodules.crops.folder_lock import FolderLock
from datamodules.crops.store_writer import CropStoreWriter, VideoCrops
from datamodules.layouts.record import VideoRecord


class FaceCropWriter(pl.Callback):
    """Write the crops of each video when they are extracted; rank 0 writes the manifest.

    `records` are in the order of the data module; `missing` is that of `CropStoreWriter.finish`.
    """

    def __init__(
        self,
        store: CropStoreWriter,
        records: Sequence[VideoRecord],
        missing: Mapping[str, Sequence[str]],
    ) -> None:
        self._store = store
        self._records = records
        self._missing = missing
        self._started = time.monotonic()
        self._lock = FolderLock(store.root)
        self.stopped_by: BaseException | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Create the store before any rank writes to it."""
        if trainer.is_global_zero:
            self._lock.acquire()
            self._store.create()
        trainer.strategy.barrier("crop store created")

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop on SIGTERM, with which clusters end jobs; Lightning would continue."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _stop)

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: list[tuple[int, VideoCrops]],
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the crops of finished videos."""
        for record, crops in outputs:
            self._store.write(self._records[record], crops)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write the manifest.

        Not in `on_predict_end`, which a rank without videos does not reach: the others would wait
        for it at the barrier.
        """
        trainer.strategy.barrier("crops written")
        if trainer.is_global_zero:
            self._store.finish(time.monotonic() - self._started, self._missing)
            self._lock.release()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Release the lock, so that the next extraction can resume."""
        self.stopped_by = exception
        self._lock.release()


def _stop(number: int, frame: FrameType | None) -> None:
    """Exit with the status that a shell reports for a process ended by a signal."""
    sys.exit(128 + number)
