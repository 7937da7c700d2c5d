import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import numcodecs.blosc
import numpy as np
import pandas as pd
import xxhash
from msgspec import Meta
from numcodecs import Blosc
from numpy.typing import NDArray

from datamodules.crops.manifest import MANIFEST, read_manifest, video_codes
from errors import InputError
from records.files import read_record, sha256

SETTINGS = "store.json"
SUMMARY = "extraction.json"
WITHOUT_CROP = "without_crop.csv"
LEDGER = "ledger"
FORMAT: Final = 3
CODEC = Blosc("lz4", clevel=5)
# A loader's worker has one core; Blosc's threads would wait for each other.
numcodecs.blosc.use_threads = False


class ExtractionSettings(msgspec.Struct, frozen=True):
    """What all crops of a store have in common; the content of store.json.

    Attributes:
        size: Side of a crop, in pixels.
        scale: Side of the cropped square, in units of the longer side of the detected box.
        frames_per_video: Evenly spaced frames per video in which faces are detected; 0 for all.
        all_faces: Whether the crops of every person are kept, or of one person per video.
        detector: How the faces were detected.
        border: How the part of a square outside the frame is filled.
        version: Version of the store's format.
    """

    size: Annotated[int, Meta(ge=1)]
    scale: float
    frames_per_video: Annotated[int, Meta(ge=0)]
    all_faces: bool = False
    detector: str = "MTCNN, coarse to fine"
    border: str = "reflect"
    version: Literal[3] = FORMAT


class CropStore:
    """Face crops on disk: one file of compressed crops per video, and a manifest of every crop.

    The workers of a DataLoader can share it: no file stays open. Errors are those of
    `read_settings`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = read_settings(root)
        self.size = self.settings.size
        self._folders: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the tables, which a loader's worker does not need."""
        state = {**self.__dict__, "_locations": self._locations}
        return {name: value for name, value in state.items() if name not in ("manifest", "videos")}

    def __len__(self) -> int:
        return len(self.manifest)

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """One row per crop, see `read_manifest`."""
        return read_manifest(self.root)

    @cached_property
    def videos(self) -> NDArray[np.integer[Any]]:
        """The video code of each crop, see `video_codes`."""
        return video_codes(self.manifest)

    @cached_property
    def manifest_hash(self) -> str:
        """SHA-256 of the manifest's file, in hexadecimal."""
        return sha256(self.root / MANIFEST)

    @cached_property
    def _locations(self) -> tuple[Any, ...]:
        """Where each crop is stored; a lookup in a DataFrame takes 100 times as long."""
        files = self.manifest["file"].cat
        names = ("offset", "bytes", "checksum")
        offset, length, checksum = (self.manifest[name].to_numpy() for name in names)
        return list(files.categories), files.codes.to_numpy(), offset, length, checksum

    def crop(self, index: int) -> NDArray[np.uint8]:
        """Read the crop of one row of the manifest, `[size, size, 3]` RGB.

        Raises:
            InputError: Its file is missing, truncated or altered.
        """
        files, codes, offsets, lengths, checksums = self._locations
        file = files[codes[index]]
        stored = self._read(file, int(offsets[index]), int(lengths[index]))
        if crop_checksum(stored) != checksums[index]:
            msg = f"{self.root / file}: cut short or altered; delete the file and extract again"
            raise InputError(msg)
        crop = np.empty((self.size, self.size, 3), dtype=np.uint8)
        try:
            CODEC.decode(stored, crop)
        except (RuntimeError, ValueError) as error:
            msg = f"{self.root / file}: its crops are not {self.size} px wide as in {SETTINGS}"
            raise InputError(msg) from error
        return crop

    def _read(self, file: str, offset: int, length: int) -> bytes:
        folder = file.rpartition("/")[0]
        if folder not in self._folders:
            if not (self.root / folder).resolve().is_relative_to(self.root.resolve()):
                msg = f"{self.root / folder}: links to a folder outside {self.root}"
                raise InputError(msg)
            self._folders.add(folder)
        try:
            # Links may lead outside the store; opening a FIFO would wait for a writer.
            handle = os.open(f"{self.root}/{file}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                return os.pread(handle, length, offset)
            finally:
                os.close(handle)
        except OSError as error:
            msg = f"{self.root / file}: {error.strerror}, but the manifest names it; extract again"
            raise InputError(msg) from error


def read_settings(store: Path) -> ExtractionSettings:
    """Read store.json; InputError if the folder is no crop store, or one of another version."""
    expected = f"the settings of a crop store of version {FORMAT}"
    remedy = "check the path, or extract into a new folder"
    return read_record(store / SETTINGS, ExtractionSettings, expected, remedy)


def crop_checksum(stored: bytes) -> int:
    """Return the 64-bit XXH3 of a stored crop: fast enough to be checked at every reading."""
    return xxhash.xxh3_64_intdigest(stored)
