import hashlib
import json
from collections import OrderedDict
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
# Each open map holds address space and, on some systems, a file handle.
_OPEN_MAPS = 256


class CropStore:
    """Face crops on disk: one memory-mapped array a video, and a manifest of every crop.

    It can be handed to the workers of a DataLoader: each opens its own maps.

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
        self._maps: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_maps": OrderedDict(), "_places": self._places}
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
        file, row = files[codes[index]], rows[index]
        crops = self._map(file)
        if row >= len(crops):
            msg = f"{self.root / file}: {len(crops)} crops, the manifest names more"
            raise InputError(msg)
        crop = np.array(crops[row])
        if crop_checksum(crop) != checksums[index]:
            msg = f"{self.root / file}: crop {row} was altered; delete the file and extract again"
            raise InputError(msg)
        return crop

    def _map(self, file: str) -> NDArray[np.uint8]:
        if file in self._maps:
            self._maps.move_to_end(file)
            return self._maps[file]
        path = self.root / file
        if not path.resolve().is_relative_to(self.root.resolve()):
            msg = f"{path}: links to a place outside {self.root}"
            raise InputError(msg)
        try:
            crops: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else "damaged"
            msg = f"{path}: {reason}, but the manifest names it; delete it and extract again"
            raise InputError(msg) from error
        if crops.dtype != np.uint8 or crops.shape[1:] != (self.size, self.size, 3):
            msg = f"{path}: {crops.dtype}{list(crops.shape)} is not {self.size} px crops"
            raise InputError(msg)
        self._maps[file] = crops
        if len(self._maps) > _OPEN_MAPS:
            self._maps.popitem(last=False)
        return crops


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
