"""Extraction as a Trainer run: what is left to do, and doing it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import InputError
from training.process import keep_freed_memory

if TYPE_CHECKING:
    from datamodules.crops.store_writer import CropStoreWriter
    from datamodules.layouts.layout import Layout
    from datamodules.layouts.record import VideoRecord
    from lightning_modules.face_extractor import FaceExtractor


@dataclass(frozen=True)
class Plan:
    """What is to be extracted into which store.

    Attributes:
        layout: The tree.
        store: Where to, and with which settings.
        pending: The videos that are not in the store yet.
    """

    layout: "Layout"
    store: "CropStoreWriter"
    pending: "Sequence[VideoRecord]"


def plan_extraction(
    root: Path,
    out: Path,
    *,
    compression: str,
    frames_per_video: int,
    size: int,
    methods: Sequence[str] | None = None,
    scale: float = 1.3,
    all_faces: bool = False,
    limit: int | None = None,
) -> Plan:
    """Find what of a tree is not in the store yet; nothing is written.

    Args:
        root: See `extract`, as for the others.
        out: The crop store.
        compression: Of FaceForensics++.
        frames_per_video: Evenly spaced frames.
        size: Side of a crop, pixels.
        methods: Forgeries of FaceForensics++.
        scale: Side of the square in units of the box's longer side.
        all_faces: Whether everyone's face is kept.
        limit: How many videos at most.

    Raises:
        InputError: The root, the store or a number is not what it must be.
    """
    from datamodules.crops.store import ExtractionSettings
    from datamodules.crops.store_writer import CropStoreWriter
    from datamodules.layouts.detect import read_layout

    numbers = {"frames_per_video": (frames_per_video, 1), "size": (size, 16), "scale": (scale, 1.0)}
    if limit is not None:
        numbers["limit"] = (limit, 1)
    for name, (value, least) in numbers.items():
        if value < least:
            msg = f"{name} {value}: expected {least} or more"
            raise InputError(msg)
    layout = read_layout(root, compression, methods)
    store = CropStoreWriter(out, ExtractionSettings(size, scale, frames_per_video, all_faces))
    records = _first_of_each(layout.records, limit)
    return Plan(layout, store, [record for record in records if not store.has(record)])


def _first_of_each(records: "Sequence[VideoRecord]", limit: int | None) -> "list[VideoRecord]":
    """Take the first videos of every method and split alike; a higher limit adds to them."""
    seen: Counter[tuple[str, str]] = Counter()
    turns = []
    for index, record in enumerate(records):
        group = record.method, record.split
        turns.append((seen[group], index))
        seen[group] += 1
    return [records[index] for index in sorted(index for _, index in sorted(turns)[:limit])]


@dataclass(frozen=True)
class Extraction:
    """What extracting a tree came to.

    Attributes:
        out: The crop store.
        remarks: What is missing in the tree, and how it was understood; one line each.
        extracted: Videos extracted just now; 0 when all were there before.
        summary: The store's extraction.json: counts, frames without a face, unreadable videos.
        is_main: Whether this process is the one of several that talks to the user.
    """

    out: Path
    remarks: Sequence[str]
    extracted: int
    summary: Mapping[str, Any]
    is_main: bool = True


def run_extraction(plan: Plan, num_workers: int, **trainer: Any) -> Extraction:
    """Extract what is planned.

    Args:
        plan: What, and where to.
        num_workers: Decoding threads for each device.
        trainer: `accelerator`, `devices`, `num_nodes`, `strategy` of Lightning's Trainer.

    Raises:
        InputError: A number is out of range, or the store cannot be written.
    """
    is_main = True
    if plan.pending:
        is_main = _predict(plan, num_workers, trainer)
    elif not plan.store.is_finished:
        plan.store.finish(0.0, _missing(plan.layout))
    store, layout = plan.store, plan.layout
    return Extraction(store.root, layout.lines(), len(plan.pending), store.summary(), is_main)


def _missing(layout: "Layout") -> dict[str, list[str]]:
    """Name the listed videos that are not there, by data set and compression."""
    if not layout.missing_videos:
        return {}
    return {f"{layout.dataset} {layout.records[0].compression}": list(layout.missing_videos)}


def _predict(plan: Plan, num_workers: int, trainer_options: dict[str, Any]) -> bool:
    """Run the Trainer over the videos; tells whether this process is the first rank."""
    keep_freed_memory()
    with quiet_lightning():
        from lightning.pytorch import Trainer
        from lightning.pytorch.callbacks import RichProgressBar
        from torch.multiprocessing.spawn import ProcessRaisedException

        from callbacks.face_crop_writer import FaceCropWriter
        from datamodules.videos import VideoFramesDataModule

        settings = plan.store.settings
        data = VideoFramesDataModule(plan.pending, settings.frames_per_video, num_workers)
        writer = FaceCropWriter(plan.store, plan.pending, _missing(plan.layout))
        trainer = Trainer(
            callbacks=[writer, RichProgressBar()],
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            **trainer_options,
        )
        try:
            trainer.predict(extractor_of(plan), datamodule=data, return_predictions=False)
        except SystemExit:
            # So Lightning ends after Ctrl-C.
            if isinstance(writer.stopped_by, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
        except ProcessRaisedException as error:
            raise _mistake_of_rank(error) from error
        return trainer.is_global_zero


def extractor_of(plan: Plan) -> "FaceExtractor":
    """Make the extractor that the store's settings ask for."""
    from lightning_modules.face_extractor import FaceExtractor

    settings = plan.store.settings
    return FaceExtractor(settings.size, settings.scale, all_faces=settings.all_faces)


def _mistake_of_rank(error: Exception) -> Exception:
    """A forked rank hands its error over as text: the user's mistake in it, else the error."""
    last = str(error).strip().splitlines()[-1]
    _, name, message = last.partition(f"{InputError.__name__}: ")
    return InputError(message) if name else error


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's banners and hints on training from standing between the user's lines."""
    import logging
    import warnings

    import lightning.pytorch  # noqa: F401  # it sets its loggers' levels when imported

    # The last one counts the ranks that it ends because one of them failed.
    quiet = {
        "lightning.pytorch": logging.WARNING,
        "lightning.fabric": logging.WARNING,
        "torch.multiprocessing.spawn": logging.ERROR,
    }
    levels = {name: logging.getLogger(name).level for name in quiet}
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # A rank without a video is meant: there are fewer videos than ranks.
        warnings.filterwarnings("ignore", message=".*local rank has zero length.*")
        # It is read in this process, where the number holds.
        warnings.filterwarnings("ignore", message=".*`IterableDataset` has `__len__` defined.*")
        # Lightning 2.6 asks this of torch's pytree, torch 2.14 has a new way to.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
