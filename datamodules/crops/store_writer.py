import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from msgspec import structs
from numpy.typing import NDArray

from datamodules.crops.manifest import MANIFEST, make_manifest, manifest_bytes
from datamodules.crops.store import (
    CODEC,
    LEDGER,
    SETTINGS,
    SUMMARY,
    WITHOUT_CROP,
    ExtractionSettings,
    crop_checksum,
    read_json,
)
from datamodules.layouts.record import VideoRecord
from errors import InputError

_PART = ".part"
_SORTED_BY = ("dataset", "compression", "method", "video")
_WITHOUT_CROP_COLUMNS = (*_SORTED_BY, "frame", "reason")


@dataclass(frozen=True)
class VideoCrops:
    """What came out of one video.

    Attributes:
        frame_numbers: Source frames looked at.
        crop_frames: Those of them that gave a crop, in the crops' order.
        boxes: `[n, 4]` detected x0, y0, x1, y1 in source pixels, before enlarging.
        probabilities: `[n]` the detector's.
        crops: `[n, size, size, 3]` RGB.
        tracks: `[n]` whose face it is: 0 is the video's person, the next ones are kept only with
            `all_faces`.
        without_crop: By frame number, why a frame that was looked at gave no crop.
        reason: Why the video could not be read; None where it could.
        claimed_frames: Where the container claims more frames than could be decoded, how many.
    """

    frame_numbers: Sequence[int]
    crop_frames: Sequence[int]
    boxes: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    crops: NDArray[np.uint8]
    tracks: Sequence[int]
    without_crop: Mapping[int, str]
    reason: str | None = None
    claimed_frames: int | None = None


class CropStoreWriter:
    """Writes a crop store so that a kill at any moment loses no video and repeats none.

    Each video has a ledger entry, written after its crops and like them under a temporary name
    first; `finish` makes the manifest out of the ledger. Several processes may write different
    videos; one of them calls `create` before and `finish` after the others.

    Args:
        root: Folder of the store.
        settings: Those of this extraction.

    Raises:
        InputError: The folder holds something else, or crops made with other settings.
    """

    def __init__(self, root: Path, settings: ExtractionSettings) -> None:
        self.root = root
        self.settings = settings
        self._stored_settings = structs.asdict(settings)
        if root.exists() and not root.is_dir():
            msg = f"{root}: a file; expected a folder for the crops, new, empty or a crop store"
            raise InputError(msg)
        if (root / SETTINGS).exists():
            self._check_settings()
        elif root.exists() and any(not path.name.endswith(_PART) for path in root.iterdir()):
            msg = f"{root}: holds something other than crops; choose a new or an empty folder"
            raise InputError(msg)

    def _check_settings(self) -> None:
        there = read_json(self.root / SETTINGS)
        for name, asked in self._stored_settings.items():
            found = there.get(name) if isinstance(there, dict) else None
            if found != asked:
                msg = (
                    f"{self.root}: its crops were made with {name} {found}, asked for is {asked}; "
                    f"choose another folder or the same settings"
                )
                raise InputError(msg)

    @property
    def is_finished(self) -> bool:
        """Whether the manifest covers everything that was extracted."""
        if not (self.root / MANIFEST).exists() or not (self.root / SUMMARY).exists():
            return False
        return bool(self.summary().get("complete"))

    def summary(self) -> dict[str, Any]:
        """Read extraction.json; empty before the first extraction has ended."""
        path = self.root / SUMMARY
        return dict(read_json(path)) if path.exists() else {}

    def create(self) -> None:
        """Make the folder, and mark a manifest that is already there as being added to."""
        _write(self.root / SETTINGS, _json(self._stored_settings))
        if summary := self.summary():
            _write(self.root / SUMMARY, _json({**summary, "complete": False}))

    def has(self, record: VideoRecord) -> bool:
        """Tell whether this very video, unchanged since, was extracted before."""
        path = self._ledger_path(record)
        if not path.exists():
            return False
        entry = read_json(path)
        if entry["record"] != _identity(record):
            return False
        return not entry["crops"] or (self.root / entry["file"]).exists()

    def write(self, record: VideoRecord, crops: VideoCrops) -> None:
        """Write the crops of one video and then its ledger entry."""
        place = f"crops/{record.dataset}/{record.compression}/{record.method}/{record.video}.blosc"
        stored = [CODEC.encode(np.ascontiguousarray(crop)) for crop in crops.crops]
        if stored:
            _write(self.root / place, b"".join(stored))
        found = zip(crops.crop_frames, crops.boxes, crops.probabilities, crops.tracks, strict=True)
        entry = {
            "record": _identity(record),
            "file": place,
            "frames": [int(number) for number in crops.frame_numbers],
            "crops": [
                [int(frame), *map(float, box), float(p), int(track)]
                for frame, box, p, track in found
            ],
            "bytes": [len(crop) for crop in stored],
            "checksums": [crop_checksum(crop) for crop in stored],
            "without_crop": [[int(frame), why] for frame, why in crops.without_crop.items()],
            "reason": crops.reason,
            "path": str(record.path),
            "claimed_frames": crops.claimed_frames,
        }
        _write(self._ledger_path(record), _json(entry))

    def finish(self, seconds: float, missing: Mapping[str, Sequence[str]] | None = None) -> None:
        """Write the manifest, without_crop.csv and extraction.json from the ledger.

        Args:
            seconds: How long this extraction took; added to the earlier ones of the store.
            missing: By data set and compression, the listed videos that are not there.
        """
        entries = [read_json(path) for path in self._ledger_files()]
        entries.sort(key=lambda entry: [entry["record"][name] for name in _SORTED_BY])
        _write(self.root / MANIFEST, manifest_bytes(_manifest(entries)))
        _write(self.root / WITHOUT_CROP, _table(_WITHOUT_CROP_COLUMNS, map(_rows_without, entries)))
        before = self.summary()
        summary = {
            **_summary(entries),
            "missing": {**before.get("missing", {}), **(missing or {})},
            "seconds": round(before.get("seconds", 0.0) + seconds, 1),
            "complete": True,
        }
        _write(self.root / SUMMARY, _json(summary))

    def _ledger_path(self, record: VideoRecord) -> Path:
        folder = self.root / LEDGER / record.dataset / record.compression / record.method
        return folder / f"{record.video}.json"

    def _ledger_files(self) -> Iterator[Path]:
        return (self.root / LEDGER).glob("*/*/*/*.json")


def _identity(record: VideoRecord) -> dict[str, Any]:
    """What must be unchanged for a video to count as done; its bytes tell a replaced file."""
    places = ("path", "mask")
    identity = {name: value for name, value in asdict(record).items() if name not in places}
    return {**identity, "bytes": record.path.stat().st_size if record.path.exists() else None}


def _manifest(entries: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The table of all crops; the ledger's rows are frame, box, probability, track."""
    counts = [len(entry["crops"]) for entry in entries]
    crops = [np.array(entry["crops"], dtype=np.float64).reshape(-1, 7) for entry in entries]
    columns = ("frame", "x0", "y0", "x1", "y1", "probability", "track")
    numbers = dict(zip(columns, np.concatenate([*crops, np.empty((0, 7))]).T, strict=True))
    checksums = [np.array(entry["checksums"], dtype=np.uint64) for entry in entries]
    numbers["checksum"] = np.concatenate([*checksums, np.empty(0, dtype=np.uint64)])
    lengths = [np.array(entry["bytes"], dtype=np.int64) for entry in entries]
    offsets = [np.cumsum(of_video) - of_video for of_video in lengths]
    for name, of_videos in (("bytes", lengths), ("offset", offsets)):
        numbers[name] = np.concatenate([*of_videos, np.empty(0, dtype=np.int64)])
    videos = [{**entry["record"], "file": entry["file"]} for entry in entries]
    return make_manifest(videos, counts, numbers)


def _rows_without(entry: dict[str, Any]) -> Iterator[list[Any]]:
    """One row for each frame without a crop; an unreadable video has one with no frame."""
    about = [entry["record"][name] for name in _SORTED_BY]
    if entry["reason"] is not None:
        yield [*about, "", entry["reason"]]
    for frame, why in entry["without_crop"]:
        yield [*about, frame, why]


def _table(columns: Iterable[str], groups: Iterable[Iterable[list[Any]]]) -> bytes:
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(columns)
    for group in groups:
        rows.writerows(group)
    return table.getvalue().encode()


def _summary(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Count what came out, and list everything that did not."""
    readable = [entry for entry in entries if entry["reason"] is None]
    without_face = [
        {**_about(entry), "frame": frame, "reason": why}
        for entry in readable
        for frame, why in entry["without_crop"]
    ]
    return {
        "videos": len(readable),
        "crops": sum(len(entry["crops"]) for entry in readable),
        "frames": sum(len(entry["frames"]) for entry in readable),
        "frames_without_face": without_face,
        "videos_without_face": [_about(entry) for entry in readable if not entry["crops"]],
        "unreadable": [
            {**_about(entry), "path": entry["path"], "reason": entry["reason"]}
            for entry in entries
            if entry["reason"] is not None
        ],
        "shorter_than_claimed": [
            {**_about(entry), "claimed": entry["claimed_frames"]}
            for entry in readable
            if entry["claimed_frames"] is not None
        ],
    }


def _about(entry: dict[str, Any]) -> dict[str, str]:
    record = entry["record"]
    key = f"{record['dataset']}/{record['method']}/{record['video']}"
    return {"key": key, "compression": record["compression"]}


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(f".{path.name}{_PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        msg = (
            f"{path}: cannot be written ({error.strerror}); free some space or choose another "
            f"folder, then run the same command again: finished videos are kept"
        )
        raise InputError(msg) from error
