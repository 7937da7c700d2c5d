"""The plan of an extraction: which videos of a tree are not in the crop store yet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datamodules.crops.store import ExtractionSettings
from datamodules.crops.store_writer import CropStoreWriter
from datamodules.layouts.detect import read_layout
from datamodules.layouts.layout import Layout
from datamodules.layouts.record import VideoRecord
from datamodules.layouts.video_list import is_name
from errors import InputError, require_number
from records.data_info import Extraction


@dataclass(frozen=True)
class Plan:
    """A tree, the crop store to write to, and the videos that are not in the store yet."""

    layout: Layout
    store: CropStoreWriter
    pending: Sequence[VideoRecord]


@dataclass(frozen=True)
class ExtractionResult:
    """The result of extracting a tree into the crop store `out`.

    Attributes:
        remarks: What is missing from the tree, and how it was interpreted; one line each.
        extracted: Number of videos extracted by this run.
        summary: The extraction.json of the store.
        is_main: Whether this process is the first rank, which prints.
    """

    out: Path
    remarks: Sequence[str]
    extracted: int
    summary: Extraction
    is_main: bool = True


def plan_extraction(
    root: Path | None,
    out: Path,
    settings: ExtractionSettings,
    compression: str = "c23",
    methods: Sequence[str] | None = None,
    limit: int | None = None,
    video_list: Path | None = None,
    dataset: str | None = None,
) -> Plan:
    """Find what `two-in-one extract` with these options extracts, without writing anything.

    Raises:
        InputError: The tree, the list, the store or a number is not valid.
    """
    require_number("frames_per_video", settings.frames_per_video, least=1)
    require_number("size", settings.size, least=16, most=4096)
    require_number("scale", settings.scale, least=1)
    require_number("limit", limit, least=1)
    layout = read_layout(root, compression, methods, video_list)
    if dataset is not None:
        layout = rename(layout, dataset)
    store = CropStoreWriter(out, settings)
    return Plan(layout, store, store.pending(_first_of_each(layout.records, limit)))


def rename(layout: Layout, dataset: str) -> Layout:
    """Return the videos of a data set under another name, so that two copies are two data sets.

    Raises:
        InputError: The layout has several data sets, the name cannot be a folder's, or it hides a
            miniature.
    """
    held = sorted({record.dataset for record in layout.records})
    if len(held) > 1:
        msg = f"dataset {dataset}: the videos are of {' and '.join(held)}, expected one data set"
        raise InputError(msg)
    if not is_name("dataset", dataset):
        msg = f"dataset {dataset!r}: expected a name of 1 to 200 characters without a slash"
        raise InputError(msg)
    if held[0].startswith("mini-") and not dataset.startswith("mini-"):
        msg = f"dataset {dataset}: {held[0]} is a miniature, expected a name like mini-{dataset}"
        raise InputError(msg)
    records = tuple(replace(record, dataset=dataset) for record in layout.records)
    return replace(layout, dataset=dataset, records=records)


def _first_of_each(records: Sequence[VideoRecord], limit: int | None) -> list[VideoRecord]:
    """Return the first videos of every method and split in turn, so that higher limits add some."""
    counts: Counter[tuple[str, str]] = Counter()
    turns = []
    for index, record in enumerate(records):
        counts[record.method, record.split] += 1
        turns.append((counts[record.method, record.split], index))
    return [records[index] for index in sorted(index for _, index in sorted(turns)[:limit])]
