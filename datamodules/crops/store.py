import hashlib
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numcodecs.blosc
import numpy as np
import pandas as pd
import xxhash
from numcodecs import Blosc
from numpy.typing import NDArray

from datamodules.crops.manifest import find_manifest, read_manifest
from errors import InputError

SETTINGS = "store.json"
SUMMARY = "extraction.json"
WITHOUT_CROP = "without_crop.csv"
LEDGER = "ledger"
FORMAT = 3
CODEC = Blosc("lz4", clevel=5)
# A loader's worker has one core; Blosc's threads would wait for each other.
numcodecs.blosc.use_threads = False


class CropStore:
    """Face crops on disk: a file a video of its compressed crops, and a manifest of every crop.

    It can be handed to the workers of a DataLoader: no file stays open.

    Args:
        root: Folder that `two-in-one extract` wrote.

    Raises:
        InputError: The folder is no crop store, or one of another version.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not (root / SETTINGS).is_file():
            msg = f"{root}: not a crop store, {SETTINGS} is not there; run extract first"
            raise InputError(msg)
        self.settings: dict[str, Any] = read_json(root / SETTINGS)
        if self.settings.get("version") != FORMAT:
            msg = f"{root}: made by another version of two-in-one; extract into a new folder"
            raise InputError(msg)
        self.size = int(self.settings["size"])
        self._folders: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_places": self._places}
        state.pop("manifest", None)
        return state

    def __len__(self) -> int:
        return len(self.manifest)

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """One row a crop, see `read_manifest`."""
        return read_manifest(self.root)

    @cached_property
    def manifest_hash(self) -> str:
        """SHA-256 of the manifest's file, in hexadecimal."""
        return hashlib.sha256(find_manifest(self.root).read_bytes()).hexdigest()

    @cached_property
    def _places(self) -> tuple[list[str], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Where each crop lies; a DataFrame would take 100 times as long to look up."""
        files = self.manifest["file"].cat
        names = ("offset", "bytes", "checksum")
        offset, length, checksum = (self.manifest[name].to_numpy() for name in names)
        return list(files.categories), files.codes.to_numpy(), offset, length, checksum

    def crop(self, index: int) -> NDArray[np.uint8]:
        """Read the crop of one row of the manifest.

        Returns:
            `[size, size, 3]` RGB, a copy.

        Raises:
            InputError: Its file is missing, truncated or altered.
        """
        files, codes, offsets, lengths, checksums = self._places
        file = files[codes[index]]
        stored = self._read(file, int(offsets[index]), int(lengths[index]))
        if crop_checksum(stored) != checksums[index]:
            msg = f"{self.root / file}: cut short or altered; delete the file and extract again"
            raise InputError(msg)
        crop = np.empty((self.size, self.size, 3), dtype=np.uint8)
        try:
            CODEC.decode(stored, crop)
        except (RuntimeError, ValueError) as error:
            msg = f"{self.root / file}: its crops are not of {self.size} px, as {SETTINGS} says"
            raise InputError(msg) from error
        return crop

    def _read(self, file: str, offset: int, length: int) -> bytes:
        folder = file.rpartition("/")[0]
        if folder not in self._folders:
            if not (self.root / folder).resolve().is_relative_to(self.root.resolve()):
                msg = f"{self.root / folder}: links to a place outside {self.root}"
                raise InputError(msg)
            self._folders.add(folder)
        try:
            # A link is not followed: it may lead outside the store.
            handle = os.open(self.root / file, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            msg = f"{self.root / file}: {error.strerror}, but the manifest names it; extract again"
            raise InputError(msg) from error
        try:
            return os.pread(handle, length, offset)
        finally:
            os.close(handle)


def crop_checksum(stored: bytes) -> int:
    """XXH3, 64 bits, of a crop as it is stored: fast enough to be checked at every reading."""
    return xxhash.xxh3_64_intdigest(stored)


def read_json(path: Path) -> Any:
    """Read a JSON file of the store.

    Raises:
        InputError: It is not there or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: damaged ({error}); delete it and extract again"
        raise InputError(msg) from error
