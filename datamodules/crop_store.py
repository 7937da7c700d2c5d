import hashlib
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xxhash
from numpy.typing import NDArray

from datamodules.manifest import find_manifest, read_manifest
from errors import InputError

SETTINGS = "store.json"
SUMMARY = "extraction.json"
WITHOUT_CROP = "without_crop.csv"
LEDGER = "ledger"


class CropStore:
    """Face crops on disk: one array a video, and a manifest of every crop.

    It can be handed to the workers of a DataLoader. No file stays open, and none is mapped.

    Args:
        root: Folder that `two-in-one extract` wrote.

    Raises:
        InputError: The folder is no crop store.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not (root / SETTINGS).is_file():
            msg = f"{root}: not a crop store, {SETTINGS} is not there; run extract first"
            raise InputError(msg)
        self.settings: dict[str, Any] = read_json(root / SETTINGS)
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
    def _places(self) -> tuple[NDArray[Any], list[str], NDArray[Any], NDArray[Any]]:
        """Where each crop lies; a DataFrame would take 100 times as long to look up."""
        files = self.manifest["file"].cat
        row, checksum = (self.manifest[name].to_numpy() for name in ("row", "checksum"))
        return files.codes.to_numpy(), list(files.categories), row, checksum

    def crop(self, index: int) -> NDArray[np.uint8]:
        """Read the crop of one row of the manifest.

        Returns:
            `[size, size, 3]` RGB, a copy.

        Raises:
            InputError: Its file is missing, truncated or altered.
        """
        codes, files, rows, checksums = self._places
        file, row = files[codes[index]], int(rows[index])
        crop = np.empty((self.size, self.size, 3), dtype=np.uint8)
        # The checksum tells whatever may be wrong with the file; parsing its header takes longer
        # than reading the crop.
        if not self._read(file, row, crop) or crop_checksum(crop) != checksums[index]:
            raise InputError(self._damage(file, row))
        return crop

    def _read(self, file: str, row: int, crop: NDArray[np.uint8]) -> bool:
        """Fill `crop`; False where the file is missing, outside the store or too short."""
        folder = file.rpartition("/")[0]
        if folder not in self._folders:
            if not (self.root / folder).resolve().is_relative_to(self.root.resolve()):
                return False
            self._folders.add(folder)
        try:
            handle = os.open(self.root / file, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            # Bytes 8 and 9 of a .npy file are the length of its header's rest.
            start = 10 + int.from_bytes(os.pread(handle, 2, 8), "little")
            return os.preadv(handle, [crop.data], start + row * crop.nbytes) == crop.nbytes
        finally:
            os.close(handle)

    def _damage(self, file: str, row: int) -> str:
        """Say why a crop cannot be read."""
        path = self.root / file
        if path.is_symlink() or not path.resolve().is_relative_to(self.root.resolve()):
            return f"{path}: links to a place outside {self.root}, or to another file of it"
        try:
            crops: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else "damaged"
            return f"{path}: {reason}, but the manifest names it; delete it and extract again"
        if crops.dtype != np.uint8 or crops.shape[1:] != (self.size, self.size, 3):
            return f"{path}: {crops.dtype}{list(crops.shape)} is not {self.size} px crops"
        if row >= len(crops):
            return f"{path}: {len(crops)} crops, the manifest names more"
        return f"{path}: crop {row} was altered; delete the file and extract again"


def crop_checksum(crop: NDArray[np.uint8]) -> int:
    """XXH3, 64 bits, over the pixels: fast enough to be checked at every reading."""
    return xxhash.xxh3_64_intdigest(crop.data)


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
