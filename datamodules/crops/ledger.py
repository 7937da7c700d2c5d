"""The ledger of a crop store: one JSON file per video, from which the other tables are made."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from msgspec import Meta, Struct, structs

from datamodules.crops.manifest import make_manifest
from datamodules.crops.store import LEDGER, SUMMARY
from datamodules.layouts.record import VideoRecord
from records.data_info import Extraction, LeftOut
from records.files import read_record

Count = Annotated[int, Meta(ge=0)]
Coordinate = float | None
CropRow = tuple[Count, Coordinate, Coordinate, Coordinate, Coordinate, float | None, Count]
"""Frame, x0, y0, x1, y1, probability and track of a crop; None if unknown, for imported crops."""


class VideoIdentity(Struct, frozen=True, omit_defaults=True):
    """What must be unchanged for a video to count as extracted: its record and its size.

    `bytes` is None for a folder of images that was removed. `slices` may change: `finish` of the
    writer updates them.
    """

    dataset: str
    method: str
    video: str
    label: Literal[0, 1]
    split: str
    compression: str
    target: str | None
    source: str | None
    bytes: int | None
    slices: dict[str, str] = {}

    @classmethod
    def of(cls, record: VideoRecord) -> "VideoIdentity":
        """Return the identity of a video as it is on disk."""
        named = {name: getattr(record, name) for name in cls.__struct_fields__ if name != "bytes"}
        return cls(**named, bytes=size_of(record.path))


class LedgerEntry(Struct, frozen=True):
    """The result of one video; see `VideoCrops`.

    Attributes:
        file: File of its crops, relative to the store.
        frames: Numbers of the frames in which faces were detected.
        bytes: Compressed size of each crop.
        checksums: Checksum of each compressed crop.
        path: The video file.
    """

    record: VideoIdentity
    file: str
    frames: list[int]
    crops: list[CropRow]
    bytes: list[Count]
    checksums: list[Count]
    without_crop: list[tuple[int, str]]
    reason: str | None
    path: str
    claimed_frames: int | None

    def __post_init__(self) -> None:
        if not len(self.crops) == len(self.bytes) == len(self.checksums):
            msg = "`crops`, `bytes` and `checksums` differ in length"
            raise ValueError(msg)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Data set, compression, method and video: the order of the manifest."""
        return self.record.dataset, self.record.compression, self.record.method, self.record.video

    def left_out(self, **about: Any) -> LeftOut:
        """Describe this video, or one of its frames, for extraction.json."""
        dataset, compression, method, video = self.key
        return LeftOut(key=f"{dataset}/{method}/{video}", compression=compression, **about)


def size_of(path: Path) -> int | None:
    """Return the size of a file, or of the files in a folder, in bytes; None if there is none."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size if path.exists() else None


def read_entry(path: Path) -> LedgerEntry:
    """Read the ledger entry of one video; InputError if it is damaged or was edited."""
    remedy = "delete it and extract again"
    return read_record(path, LedgerEntry, "the ledger entry of a video", remedy)


def read_ledger(store: Path) -> list[LedgerEntry]:
    """Read all entries of a store, in the order of the manifest; errors as in `read_entry`."""
    entries = [read_entry(path) for path in (store / LEDGER).glob("*/*/*/*.json")]
    return sorted(entries, key=lambda entry: entry.key)


def read_extraction(store: Path) -> Extraction:
    """Read the extraction.json of a store; InputError if it is missing, damaged or was edited."""
    remedy = "delete it and run the same extraction again"
    return read_record(store / SUMMARY, Extraction, "the record of an extraction", remedy)


def build_manifest(entries: Sequence[LedgerEntry]) -> pd.DataFrame:
    """Build the manifest, see `make_manifest`."""
    rows = [row for entry in entries for row in entry.crops]
    columns = ("frame", "x0", "y0", "x1", "y1", "probability", "track")
    numbers = dict(zip(columns, np.array(rows, dtype=np.float64).reshape(-1, 7).T, strict=True))
    # The crops of a video follow each other in its file.
    offsets = [accumulate(entry.bytes[:-1], initial=0) for entry in entries if entry.bytes]
    numbers["offset"] = np.array(list(chain.from_iterable(offsets)))
    numbers["bytes"] = np.array([size for entry in entries for size in entry.bytes])
    checksums = [one for entry in entries for one in entry.checksums]
    numbers["checksum"] = np.array(checksums, dtype=np.uint64)
    videos = [{**structs.asdict(entry.record), "file": entry.file} for entry in entries]
    return make_manifest(videos, [len(entry.crops) for entry in entries], numbers)


def frames_without_crop(entries: Sequence[LedgerEntry]) -> str:
    """Build without_crop.csv: one row per frame without a crop or unreadable video."""
    rows: list[tuple[Any, ...]] = []
    for entry in entries:
        if entry.reason is not None:
            rows.append((*entry.key, "", entry.reason))
        rows += [(*entry.key, frame, reason) for frame, reason in entry.without_crop]
    columns = ["dataset", "compression", "method", "video", "frame", "reason"]
    return pd.DataFrame(rows, columns=columns).to_csv(index=False, lineterminator="\n")


def summarize(
    entries: Sequence[LedgerEntry], missing: Mapping[str, Sequence[str]], seconds: float
) -> Extraction:
    """Build extraction.json: count what was extracted, and list everything that was not.

    Videos that an earlier extraction reported as missing and a later one found are left out.
    """
    found = {
        (f"{one.dataset} {one.compression}", f"{one.method}/{one.video}")
        for one in (entry.record for entry in entries)
    }
    still = {
        group: [video for video in videos if (group, video) not in found]
        for group, videos in missing.items()
    }
    readable = [entry for entry in entries if entry.reason is None]
    return Extraction(
        videos=len(readable),
        crops=sum(len(entry.crops) for entry in readable),
        frames=sum(len(entry.frames) for entry in readable),
        frames_without_face=[
            entry.left_out(frame=frame, reason=reason)
            for entry in readable
            for frame, reason in entry.without_crop
        ],
        videos_without_face=[entry.left_out() for entry in readable if not entry.crops],
        unreadable=[
            entry.left_out(reason=entry.reason, path=entry.path)
            for entry in entries
            if entry.reason is not None
        ],
        shorter_than_claimed=[
            entry.left_out(claimed=entry.claimed_frames)
            for entry in readable
            if entry.claimed_frames is not None
        ],
        missing={group: videos for group, videos in still.items() if videos},
        seconds=round(seconds, 1),
        complete=True,
    )
