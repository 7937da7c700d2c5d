from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from datamodules.layouts.record import SPLITS
from errors import InputError
from records.files import require_file

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
_NOT_NEGATIVE = ("offset", "bytes", "frame", "track")
_VIDEO = ["dataset", "compression", "method", "video"]
_REMEDY = "run the same extract command again, it rewrites the manifest"


def make_manifest(
    videos: Sequence[Mapping[str, Any]], counts: Sequence[int], numbers: Mapping[str, NDArray[Any]]
) -> pd.DataFrame:
    """Build the table of all crops, one row per crop.

    Args:
        videos: `NAMES`, `label` and `slices` of each video; every slice becomes a column.
        counts: Number of crops of each video.
        numbers: The other columns of `NUMBERS`, each `[sum(counts)]`.
    """
    columns: dict[str, Any] = {
        name: pd.Categorical([video[name] or "" for video in videos]).repeat(counts)
        for name in NAMES
    }
    labels = np.array([video["label"] for video in videos])
    numbers = {"label": np.repeat(labels, counts), **numbers}
    columns |= {name: numbers[name].astype(dtype) for name, dtype in NUMBERS.items()}
    slices = [video.get("slices", {}) for video in videos]
    for name in dict.fromkeys(name for held in slices for name in held):
        values = [held.get(name, "") for held in slices]
        columns[name] = pd.Categorical(values).repeat(counts)
    return pd.DataFrame(columns)


def slice_names(manifest: pd.DataFrame) -> list[str]:
    """Return the columns that describe videos further, e.g. `skin_tone`; "" is unknown."""
    further = [name for name in map(str, manifest) if name not in (*NAMES, *NUMBERS)]
    return [name for name in further if isinstance(manifest[name].dtype, pd.CategoricalDtype)]


def manifest_bytes(manifest: pd.DataFrame) -> bytes:
    """Return the file's content: plain numbers and dictionary-encoded strings read fastest."""
    names = [*NAMES, *slice_names(manifest)]
    return manifest.to_parquet(
        index=False, use_dictionary=names, row_group_size=max(1, len(manifest))
    )


def read_manifest(store: Path) -> pd.DataFrame:
    """Read and check the table of a store's crops; strings are categories, "" is unknown.

    Raises:
        InputError: The file is missing or damaged, it has no rows, a column is missing, or a value
            is of another type or out of range.
    """
    path = store / MANIFEST
    require_file(path, "the manifest of a finished crop store", "run `two-in-one extract` first")
    try:
        # Types come from the columns: pandas' own metadata could be damaged unnoticed.
        table = pq.read_table(path).replace_schema_metadata(None)
        # One block per column, and freeing Arrow's on the way, halves the peak memory.
        manifest = table.to_pandas(split_blocks=True, self_destruct=True)
        del table
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _refusal(path, f"not a manifest of crops ({str(error).splitlines()[0]})") from error
    for name in (*NAMES, *NUMBERS):
        expected = "category" if name in NAMES else np.dtype(NUMBERS[name]).name
        found = manifest[name].dtype if name in manifest else "missing"
        if found != expected:
            raise _refusal(path, f"column {name} is {found}, expected {expected}")
    if manifest.empty:
        msg = f"{path}: it has no crop; extract videos in which a face is found"
        raise InputError(msg)
    _check_values(path, manifest)
    return manifest


def _check_values(path: Path, manifest: pd.DataFrame) -> None:
    for name in NAMES:
        if manifest[name].cat.categories.inferred_type != "string":
            raise _refusal(path, f"column {name} has values that are not text")
        if (manifest[name].cat.codes < 0).any():
            raise _refusal(path, f"column {name} has missing values")
    for name in _NOT_NEGATIVE:
        if (least := manifest[name].min()) < 0:
            raise _refusal(path, f"column {name} has the value {least}, expected 0 or more")
    for name, values in {"label": (0, 1), "split": SPLITS}.items():
        if wrong := [value for value in manifest[name].unique() if value not in values]:
            expected = ", ".join(map(str, values))
            raise _refusal(path, f"column {name} has the value {wrong[0]}, expected {expected}")
    for file in manifest["file"].cat.categories:
        if file.startswith("/") or ".." in file.split("/"):
            raise _refusal(path, f"{file} points outside {path.parent}")


def _refusal(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: {reason}; {_REMEDY}")


def video_codes(crops: pd.DataFrame) -> NDArray[np.integer[Any]]:
    """Number the videos: one code per data set, compression, method and id, `[crops]`.

    The id alone would merge the four fakes `000_003` of four methods into one video.
    """
    return crops.groupby(_VIDEO, sort=False, observed=True).ngroup().to_numpy()


def video_names(crops: pd.DataFrame) -> list[str]:
    """Return the distinct videos of crops as "data set/method/id"."""
    names = crops[["dataset", "method", "video"]].astype(str).agg("/".join, axis=1)
    return list(dict.fromkeys(names))
