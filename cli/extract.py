from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import InputError

if TYPE_CHECKING:
    from datamodules.crop_store_writer import CropStoreWriter
    from datamodules.layouts.layout import Layout
    from datamodules.layouts.record import VideoRecord

_LISTED = 5


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


def extract(
    root: Path,
    out: Path,
    compression: str = "c23",
    methods: list[str] | None = None,
    frames_per_video: int = 32,
    size: int = 256,
    scale: float = 1.3,
    num_workers: int = 2,
    accelerator: str = "auto",
    devices: int | str = "auto",
    num_nodes: int = 1,
    strategy: str = "auto",
) -> None:
    """Extract the faces of FaceForensics++ or Celeb-DF into a crop store.

    Run again after an interruption, it goes on where it stopped. Run with another root and the
    same out, it adds that data set to the store.

    Args:
        root: Root of FaceForensics++ or Celeb-DF, in the tree it is distributed in.
        out: Folder of the crop store; new, empty or a crop store with the same settings.
        compression: Of FaceForensics++: raw (or c0, the same), c23 or c40.
        methods: Forgeries of FaceForensics++; default: the four of the usual protocol.
        frames_per_video: Evenly spaced frames to take of each video.
        size: Side of a crop in pixels.
        scale: Side of the square that is cut out, in units of the longer side of the face's box.
        num_workers: Processes that decode videos, for each device.
        accelerator: cpu, gpu or auto.
        devices: How many devices find faces, or auto.
        num_nodes: How many machines.
        strategy: Lightning's strategy for several devices.
    """
    result = extract_crops(
        root,
        out,
        compression=compression,
        methods=methods,
        frames_per_video=frames_per_video,
        size=size,
        scale=scale,
        num_workers=num_workers,
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
        strategy=strategy,
    )
    if result.is_main:
        print_extraction(result)


def extract_crops(
    root: Path,
    out: Path,
    *,
    compression: str,
    frames_per_video: int,
    size: int,
    methods: Sequence[str] | None = None,
    scale: float = 1.3,
    num_workers: int = 2,
    **trainer: Any,
) -> Extraction:
    """Extract what of a tree is not in the store yet.

    Args:
        root: See `extract`, as for the other named ones.
        out: The crop store.
        compression: Of FaceForensics++.
        frames_per_video: Evenly spaced frames.
        size: Side of a crop, pixels.
        methods: Forgeries of FaceForensics++.
        scale: Side of the square in units of the box's longer side.
        num_workers: Decoding processes for each device.
        trainer: `accelerator`, `devices`, `num_nodes`, `strategy` of Lightning's Trainer.

    Raises:
        InputError: The root, the store or a number is not what it must be.
    """
    from datamodules.crop_store_writer import CropStoreWriter, ExtractionSettings
    from datamodules.layouts.recognise import read_layout

    _check_numbers(frames_per_video, size, scale, num_workers)
    layout = read_layout(root, compression, methods)
    store = CropStoreWriter(out, ExtractionSettings(size, scale, frames_per_video))
    pending = [record for record in layout.records if not store.has(record)]
    is_main = True
    if pending:
        is_main = _predict(store, pending, layout, num_workers, trainer)
    elif not store.is_finished:
        store.finish(0.0, _missing(layout))
    return Extraction(out, layout.lines(), len(pending), store.summary(), is_main)


def _check_numbers(frames_per_video: int, size: int, scale: float, num_workers: int) -> None:
    for name, value, least in (
        ("frames_per_video", frames_per_video, 1),
        ("size", size, 16),
        ("scale", scale, 1.0),
        ("num_workers", num_workers, 0),
    ):
        if value < least:
            msg = f"{name} {value}: expected {least} or more"
            raise InputError(msg)


def _missing(layout: "Layout") -> dict[str, list[str]]:
    """Name the listed videos that are not there, by data set and compression."""
    if not layout.missing_videos:
        return {}
    return {f"{layout.dataset} {layout.records[0].compression}": list(layout.missing_videos)}


def _predict(
    store: "CropStoreWriter",
    pending: "list[VideoRecord]",
    layout: "Layout",
    num_workers: int,
    trainer_options: dict[str, Any],
) -> bool:
    """Run the Trainer over the videos; tells whether this process is the first rank."""
    with _quiet_lightning():
        from lightning.pytorch import Trainer
        from lightning.pytorch.callbacks import RichProgressBar

        from callbacks.face_crop_writer import FaceCropWriter
        from datamodules.videos import VideoFramesDataModule
        from lightning_modules.face_extractor import FaceExtractor

        settings = store.settings
        data = VideoFramesDataModule(pending, settings.frames_per_video, num_workers)
        writer = FaceCropWriter(store, pending, _missing(layout))
        trainer = Trainer(
            callbacks=[writer, RichProgressBar()],
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            **trainer_options,
        )
        extractor = FaceExtractor(settings.size, settings.scale)
        trainer.predict(extractor, datamodule=data, return_predictions=False)
        return trainer.is_global_zero


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's banners and hints on training from standing between the user's lines."""
    import logging
    import warnings

    import lightning.pytorch  # noqa: F401  # it sets its loggers' levels when imported

    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # A rank without a video is meant: there are fewer videos than ranks.
        warnings.filterwarnings("ignore", message=".*local rank has zero length.*")
        # Lightning 2.6 asks this of torch's pytree, torch 2.14 has a new way to.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def print_extraction(result: Extraction) -> None:
    """Tell the user what came out, what did not, and where it all lies."""
    from rich.console import Console

    from datamodules.manifest import MANIFEST

    console = Console(highlight=False, soft_wrap=True)
    for line in result.remarks:
        console.print(line, markup=False)
    summary = result.summary
    if not result.extracted:
        console.print(f"{result.out}: everything is there, nothing to extract", markup=False)
    console.print(
        f"{summary['videos']} videos, {summary['crops']} crops of {summary['frames']} frames "
        f"in {summary['seconds']:.0f} s"
    )
    _print_list(
        console, "frames without a face", summary["frames_without_face"], "{key} frame {frame}"
    )
    _print_list(console, "videos without a face", summary["videos_without_face"], "{key}")
    _print_list(console, "unreadable videos", summary["unreadable"], "{path}: {reason}")
    _print_list(
        console,
        "videos shorter than they claim",
        summary["shorter_than_claimed"],
        "{key} ({claimed} claimed)",
    )
    console.print(f"crops     {result.out / MANIFEST}", markup=False)
    console.print(f"all lists {result.out / 'extraction.json'}", markup=False)


def _print_list(console: Any, what: str, items: Sequence[dict[str, Any]], form: str) -> None:
    """Count the items and name the first few."""
    console.print(f"{what}: {len(items)}")
    for item in items[:_LISTED]:
        console.print("  " + form.format(**item), markup=False)
    if len(items) > _LISTED:
        console.print(f"  and {len(items) - _LISTED} more")
