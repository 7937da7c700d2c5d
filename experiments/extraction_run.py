"""An extraction as a prediction of Lightning's Trainer."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichProgressBar

from callbacks.face_crop_writer import FaceCropWriter
from datamodules.crops.ledger import read_extraction
from datamodules.videos import VideoFramesDataModule
from errors import InputError
from experiments.extraction import ExtractionResult, Plan
from lightning_modules.face_extractor import FaceExtractor
from training.library_errors import as_input_errors
from training.process import keep_freed_memory

_QUIET_LOGGERS = {
    "lightning.pytorch": logging.WARNING,
    "lightning.fabric": logging.WARNING,
    # Logs every rank that it ends because another one failed.
    "torch.multiprocessing.spawn": logging.ERROR,
}
_IGNORED_WARNINGS = {
    ".*does not have many workers.*": Warning,
    # With fewer videos than ranks, some ranks have no video.
    ".*local rank has zero length.*": Warning,
    # The dataset is read in this process, where its length is right.
    ".*`IterableDataset` has `__len__` defined.*": Warning,
    # Lightning 2.6 uses a part of torch's pytree that torch 2.14 replaces.
    ".*LeafSpec.*": FutureWarning,
}


def run_extraction(plan: Plan, num_workers: int, **trainer: Any) -> ExtractionResult:
    """Extract the pending videos of a plan.

    Args:
        plan: What to extract, and where to.
        num_workers: Number of decoding threads per device.
        trainer: `accelerator`, `devices`, `num_nodes` and `strategy` of Lightning's Trainer.

    Raises:
        InputError: The Trainer refuses an option, or the store cannot be written.
    """
    is_main, root = True, plan.store.root
    if plan.pending:
        is_main = _predict(plan, num_workers, trainer)
    elif not plan.store.is_finished:
        plan.store.finish(0.0, plan.layout.missing)
    summary = read_extraction(root)
    return ExtractionResult(root, plan.layout.lines(), len(plan.pending), summary, is_main)


def _predict(plan: Plan, num_workers: int, options: dict[str, Any]) -> bool:
    """Extract with a Trainer, and return whether this process is the first rank."""
    keep_freed_memory()
    settings = plan.store.settings
    data = VideoFramesDataModule(plan.pending, settings.frames_per_video, num_workers)
    writer = FaceCropWriter(plan.store, plan.pending, plan.layout.missing)
    with quiet_lightning(), as_input_errors("run the same command again"):
        trainer = make_trainer(options, writer, RichProgressBar())
        try:
            trainer.predict(make_extractor(plan), datamodule=data, return_predictions=False)
        except SystemExit:
            # Lightning exits after Ctrl-C.
            if isinstance(writer.stopped_by, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
    return trainer.is_global_zero


def make_trainer(options: dict[str, Any], *callbacks: Any) -> Trainer:
    """Make the Trainer, or raise an InputError, e.g. for a device that this machine lacks."""
    try:
        return Trainer(
            callbacks=list(callbacks),
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            **options,
        )
    except (MisconfigurationException, ValueError, TypeError, ImportError) as error:
        listed = ", ".join(f"{name} {value}" for name, value in options.items())
        msg = f"{listed}: {' '.join(str(error).split())}"
        raise InputError(msg) from error


def make_extractor(plan: Plan) -> FaceExtractor:
    """Make the extractor with the settings of the store."""
    settings = plan.store.settings
    return FaceExtractor(settings.size, settings.scale, all_faces=settings.all_faces)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Suppress Lightning's banners, and its hints that are about training."""
    levels = {name: logging.getLogger(name).level for name in _QUIET_LOGGERS}
    for name, level in _QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(level)
    with warnings.catch_warnings():
        for message, category in _IGNORED_WARNINGS.items():
            warnings.filterwarnings("ignore", message, category)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
