from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from datamodules.crops import ledger
from datamodules.crops.manifest import MANIFEST, manifest_bytes
from datamodules.crops.store import (
    CODEC,
    LEDGER,
    SETTINGS,
    SUMMARY,
    WITHOUT_CROP,
    ExtractionSettings,
    crop_checksum,
    read_settings,
)
from datamodules.layouts.record import VideoRecord
from errors import InputError, refuse_difference
from records.data_info import Extraction
from records.files import PARTIAL, write_file, write_record


@dataclass(frozen=True)
class VideoCrops:
    """The crops of one video.

    Attributes:
        frame_numbers: Frames in which faces were detected.
        crop_frames: `[n]` the frame of each crop.
        boxes: `[n, 4]` detected x0, y0, x1, y1 in pixels of the video, before enlarging.
        probabilities: `[n]` the detector's, of a face.
        crops: `[n, size, size, 3]` RGB.
        tracks: `[n]` the person; 0 is the main one, others occur with `all_faces` only.
        without_crop: By frame number, the reason why there is no crop.
        reason: Why the video cannot be read, or None.
        claimed_frames: Number of frames that the container claims, if more than could be read.
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
    """Writer of a crop store; a kill at any moment neither loses nor repeats a video.

    Each video has a ledger entry, written after its crops. `finish` builds the manifest from the
    ledger. Several processes may write different videos; one of them calls `create` before and
    `finish` after the others.

    Raises:
        InputError: The folder is neither new, nor empty, nor a crop store with these settings.
    """

    def __init__(self, root: Path, settings: ExtractionSettings) -> None:
        self.root = root
        self.settings = settings
        self._relabelled: list[VideoRecord] = []
        try:
            if (root / SETTINGS).exists():
                remedy = "choose another folder or the same settings"
                stored, requested = map(structs.asdict, (read_settings(root), settings))
                refuse_difference(f"{root}: its crops were made with", stored, requested, remedy)
            elif root.exists() and any(path.suffix != PARTIAL for path in root.iterdir()):
                msg = f"{root}: holds something other than crops; choose a new or an empty folder"
                raise InputError(msg)
        except NotADirectoryError as error:
            msg = f"{root}: a file; expected a folder for the crops, new, empty or a crop store"
            raise InputError(msg) from error
        except OSError as error:
            msg = f"{root}: cannot be read ({error.strerror}); choose another folder"
            raise InputError(msg) from error

    @property
    def is_finished(self) -> bool:
        """Whether the manifest covers everything that was extracted."""
        summary = self.summary()
        if summary is None or self._relabelled:
            return False
        return summary.complete and (self.root / MANIFEST).exists()

    def summary(self) -> Extraction | None:
        """Read extraction.json; None before the first extraction has finished."""
        return ledger.read_extraction(self.root) if (self.root / SUMMARY).exists() else None

    def create(self) -> None:
        """Create the folder, and mark a summary of an earlier extraction as incomplete."""
        write_record(self.root / SETTINGS, self.settings)
        if summary := self.summary():
            write_record(self.root / SUMMARY, structs.replace(summary, complete=False))

    def pending(self, records: Sequence[VideoRecord]) -> list[VideoRecord]:
        """Return the videos to extract; `finish` updates the slices of the others."""
        found = [(record, self._find(record)) for record in records]
        self._relabelled = [
            record for record, entry in found if entry and entry.record.slices != record.slices
        ]
        return [record for record, entry in found if entry is None]

    def _find(self, record: VideoRecord) -> ledger.LedgerEntry | None:
        """Return the entry of an extracted video if neither it nor its crops changed in size."""
        path = self._entry_path(record)
        if not path.exists():
            return None
        entry = ledger.read_entry(path)
        made = structs.replace(entry.record, slices=dict(record.slices))
        if made != ledger.VideoIdentity.of(record):
            return None
        whole = not entry.crops or ledger.size_of(self.root / entry.file) == sum(entry.bytes)
        return entry if whole else None

    def write(self, record: VideoRecord, crops: VideoCrops) -> None:
        """Write the crops of one video, and then its ledger entry."""
        file = f"crops/{_place(record)}.blosc"
        stored = [CODEC.encode(np.ascontiguousarray(crop)) for crop in crops.crops]
        numbers = [*crops.boxes.T.tolist(), crops.probabilities.tolist()]
        rows = zip(crops.crop_frames, *numbers, crops.tracks, strict=True)
        entry = ledger.LedgerEntry(
            record=ledger.VideoIdentity.of(record),
            file=file,
            frames=list(crops.frame_numbers),
            crops=list(rows),
            bytes=[len(crop) for crop in stored],
            checksums=[crop_checksum(crop) for crop in stored],
            without_crop=list(crops.without_crop.items()),
            reason=crops.reason,
            path=str(record.path),
            claimed_frames=crops.claimed_frames,
        )
        # A sync would take 10 ms of the 100 of a short video: `pending` finds what is lost.
        if stored:
            write_file(self.root / file, b"".join(stored), sync=False)
        write_record(self._entry_path(record), entry, sync=False)

    def finish(self, seconds: float, missing: Mapping[str, Sequence[str]] | None = None) -> None:
        """Write the manifest, without_crop.csv and extraction.json from the ledger.

        Args:
            seconds: Duration of this extraction, added to that of earlier ones.
            missing: By data set and compression, the listed videos without a file, as "method/id".
        """
        for record in self._relabelled:
            path = self._entry_path(record)
            entry = ledger.read_entry(path)
            about = structs.replace(entry.record, slices=dict(record.slices))
            write_record(path, structs.replace(entry, record=about), sync=False)
        entries, before = ledger.read_ledger(self.root), self.summary()
        missing = missing or {}
        if before:
            seconds += before.seconds
            missing = {**before.missing, **missing}
        write_file(self.root / MANIFEST, manifest_bytes(ledger.build_manifest(entries)))
        write_file(self.root / WITHOUT_CROP, ledger.frames_without_crop(entries))
        write_record(self.root / SUMMARY, ledger.summarize(entries, missing, seconds))

    def _entry_path(self, record: VideoRecord) -> Path:
        return self.root / LEDGER / f"{_place(record)}.json"


def _place(record: VideoRecord) -> str:
    return f"{record.dataset}/{record.compression}/{record.method}/{record.video}"
