from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from errors import InputError

MANIFEST = "manifest.parquet"
NAMES = ("dataset", "method", "video", "split", "compression", "target", "source", "file")
NUMBERS: dict[str, type[np.number[Any]]] = {
    "label": np.int8,
    "offset": np.int64,
    "bytes": np.int32,
    "frame": np.int32,
    "track": np.int16,
    "x0": np.float32,
    "y0": np.float32,
    "x1": np.float32,
    "y1": np.float32,
    "probability": np.float32,
    "checksum": np.uint64,
}


def make_manifest(
    videos: Sequence[Mapping[str, Any]],
    counts: Sequence[int],
    numbers: Mapping[str, NDArray[Any]],
) -> pd.DataFrame:
    """Make the table of all crops, one row a crop.

    Args:
        videos: `NAMES` of each video, and its `label`.
        counts: Crops of each video.
        numbers: The other columns of `NUMBERS`, each `[sum(counts)]`.
    """
    columns: dict[str, Any] = {}
    for name in NAMES:
        of_videos = pd.Categorical([video[name] or "" for video in videos])
        columns[name] = of_videos.repeat(counts)
    labels = np.array([video["label"] for video in videos])
    numbers = {"label": np.repeat(labels, counts), **numbers}
    columns |= {name: numbers[name].astype(dtype) for name, dtype in NUMBERS.items()}
    return pd.DataFrame(columns)


def manifest_bytes(manifest: pd.DataFrame) -> bytes:
    """Give the file's content: numbers as they are, strings once each, which is read fastest."""
    return manifest.to_parquet(
        index=False, use_dictionary=list(NAMES), row_group_size=max(1, len(manifest))
    )


def find_manifest(store: Path) -> Path:
    """Give the path of a store's table of crops.

    Raises:
        InputError: It is not there.
    """
    path = store / MANIFEST
    if not path.is_file():
        msg = f"{store}: not a finished crop store, {path.name} is not there; run extract first"
        raise InputError(msg)
    return path


def read_manifest(store: Path) -> pd.DataFrame:
    """Read a store's table of crops; its strings are categories, an unknown identity is "".

    Raises:
        InputError: It is not there or damaged, a column is missing or of another type, or a file
            lies outside the store.
    """
    path = find_manifest(store)
    try:
        # Giving each column its own block, and freeing Arrow's on the way, halves the peak.
        table = pq.read_table(path)
        manifest = table.to_pandas(split_blocks=True, self_destruct=True)
        del table
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        msg = f"{path}: not a manifest of crops ({reason}); run extract again, it writes a new one"
        raise InputError(msg) from error
    for name in (*NAMES, *NUMBERS):
        expected = "category" if name in NAMES else np.dtype(NUMBERS[name]).name
        if name not in manifest or manifest[name].dtype != expected:
            found = manifest[name].dtype if name in manifest else "missing"
            msg = f"{path}: column {name} is {found}, expected {expected}; run extract again"
            raise InputError(msg)
    for file in manifest["file"].cat.categories:
        if file.startswith("/") or ".." in file.split("/"):
            msg = f"{path}: {file} points outside {store}; files are given relative to it"
            raise InputError(msg)
    return manifest
