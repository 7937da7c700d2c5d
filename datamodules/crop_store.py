import hashlib
import json
from collections import OrderedDict
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = "store.json"
MANIFEST = "manifest.csv"
SUMMARY = "extraction.json"
WITHOUT_CROP = "without_crop.csv"
LEDGER = "ledger"
COLUMNS: dict[str, type] = {
    "dataset": str,
    "method": str,
    "video": str,
    "label": np.int64,
    "split": str,
    "compression": str,
    "target": str,
    "source": str,
    "file": str,
    "row": np.int64,
    "frame": np.int64,
    "x0": np.float64,
    "y0": np.float64,
    "x1": np.float64,
    "y1": np.float64,
    "probability": np.float64,
    "track": np.int64,
}
# Each open map holds address space and, on some systems, a file handle.
_OPEN_MAPS = 256


class CropStore:
    """Face crops on disk: one memory-mapped array a video, and a manifest of every crop.

    It can be handed to the workers of a DataLoader: each opens its own maps.

    Args:
        root: Folder that `two-in-one extract` wrote.

    Raises:
        InputError: The folder is no crop store, or its extraction has not ended.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in (SETTINGS, MANIFEST):
            if not (root / name).is_file():
                msg = f"{root}: not a finished crop store, {name} is not there; run extract first"
                raise InputError(msg)
        self.settings: dict[str, Any] = read_json(root / SETTINGS)
        self.size = int(self.settings["size"])
        self._maps: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": OrderedDict()}

    def __len__(self) -> int:
        return len(self.manifest)

    @cached_property
    def manifest(self) -> "pd.DataFrame":
        """One row a crop; ids are strings ("071"), an identity that nobody named is "".

        Raises:
            InputError: A column is missing, a value is malformed or a file lies outside the root.
        """
        import pandas as pd

        path = self.root / MANIFEST
        try:
            manifest = pd.read_csv(path, dtype=COLUMNS, keep_default_na=False)
        except ValueError as error:
            msg = f"{path}: not a manifest of crops ({error}); extract again"
            raise InputError(msg) from error
        missing = [name for name in COLUMNS if name not in manifest.columns]
        if missing:
            msg = f"{path}: column {missing[0]} is missing; extract again"
            raise InputError(msg)
        for file in manifest["file"].unique():
            if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
                msg = f"{path}: {file} points outside {self.root}; files are given relative to it"
                raise InputError(msg)
        return manifest

    @cached_property
    def manifest_hash(self) -> str:
        """SHA-256 of manifest.csv, in hexadecimal."""
        return hashlib.sha256((self.root / MANIFEST).read_bytes()).hexdigest()

    @cached_property
    def _places(self) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
        """File and row of each crop; a DataFrame would take 100 times as long to look up."""
        return self.manifest["file"].to_numpy(dtype=object), self.manifest["row"].to_numpy()

    def crop(self, index: int) -> NDArray[np.uint8]:
        """Read the crop of one row of the manifest.

        Returns:
            `[size, size, 3]` RGB, a copy.

        Raises:
            InputError: Its file is missing, truncated or not what the manifest says.
        """
        files, rows = self._places
        crops = self._map(files[index])
        if rows[index] >= len(crops):
            msg = f"{self.root / files[index]}: {len(crops)} crops, the manifest names more"
            raise InputError(msg)
        return np.array(crops[rows[index]])

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
