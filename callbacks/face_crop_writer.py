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
        self._store = store
        self._records = records
        self._missing = missing
        self._started = time.monotonic()
        self._lock = FolderLock(store.root)
        self.stopped_by: BaseException | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Make the store before any rank writes into it."""
        if trainer.is_global_zero:
            self._lock.acquire()
            self._store.create()
        trainer.strategy.barrier("crop store made")

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let SIGTERM, by which clusters take machines back, end the run: Lightning goes on."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _stop)

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: list[VideoCrops],
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the crops of a video that is through."""
        for crops in outputs:
            self._store.write(self._records[batch["record"]], crops)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Make the manifest.

        Not in `on_predict_end`: a rank that had no video does not get there, and the others would
        wait for it for ever.
        """
        trainer.strategy.barrier("crops written")
        if trainer.is_global_zero:
            self._store.finish(time.monotonic() - self._started, self._missing)
            self._lock.release()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Let the next extraction go on from here."""
        self.stopped_by = exception
        self._lock.release()


def _stop(number: int, frame: FrameType | None) -> None:
    """Exit as a shell reports of a process that a signal ended."""
    sys.exit(128 + number)
