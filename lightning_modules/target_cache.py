import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from errors import InputError

Indices = NDArray[np.integer[Any]]


class TargetCache:
    """One target of every training sample, in a memory-mapped array that runs and ranks share.

    `NAME.npy` is `[*samples, *shape]`, with samples = views, real crops, 2: the target of the real
    crop and of the fake that an epoch pairs with it. `NAME-valid.npy` is uint8 `[*samples]`, one
    byte per record, written after it, so a record counts only if it is whole, even if a process is
    killed. Two processes that write one record write the same bytes.

    Raises:
        InputError: The arrays cannot be created or opened.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        samples: tuple[int, ...],
        shape: tuple[int, ...],
        dtype: type = np.float16,
    ) -> None:
        self.name = name
        records = _open(folder / f"{name}.npy", dtype, (*samples, *shape))
        self.records = records.reshape(-1, *shape)
        self.valid = _open(folder / f"{name}-valid.npy", np.uint8, samples).reshape(-1)

    def holds(self, samples: Indices) -> bool:
        """Return whether the records of all these samples are valid."""
        return bool(self.valid[samples].all())

    def read(self, samples: Indices, like: Tensor) -> Tensor:
        """Return the records of samples `[B]` as `like`; maps channels_last, as computed ones."""
        records = torch.from_numpy(self.records[samples])
        layout = torch.channels_last if records.ndim == 4 else torch.preserve_format
        return records.to(like.device, like.dtype, memory_format=layout)

    def write(self, samples: Indices, targets: Tensor) -> None:
        """Write the targets of samples `[B]` whose records are not valid yet.

        Raises:
            InputError: A target exceeds the range of the records' data type.
        """
        new = self.valid[samples] == 0
        with np.errstate(over="ignore"):
            records = targets.detach().cpu().numpy()[new].astype(self.records.dtype)
        if not np.isfinite(records).all():
            msg = (
                f"the teacher's {self.name} targets exceed the range of {self.records.dtype}, in "
                "which they are cached: set model.init_args.frozen_teacher.cache to off"
            )
            raise InputError(msg)
        self.records[samples[new]] = records
        self.valid[samples[new]] = 1


def open_caches(
    root: Path,
    key: Mapping[str, Any],
    samples: tuple[int, ...],
    shapes: Mapping[str, tuple[int, ...]],
    limit: int,
    dtype: type = np.float16,
) -> dict[str, TargetCache]:
    """Open the cache of each target in the folder of a key, below `root`.

    The folder is shared by all runs with this key, whichever targets they distil. The caches of
    other keys are removed, the oldest first, as far as the limit requires.

    Args:
        root: Folder of all caches.
        key: Everything that determines the targets.
        samples: See TargetCache.
        shapes: Shape of one sample's target, by name.
        limit: Maximum size of all caches, in bytes.
        dtype: Data type of the records.

    Raises:
        InputError: The caches exceed the limit or do not fit on the disk.
    """
    size = np.dtype(dtype).itemsize
    needed = math.prod(samples) * sum(1 + size * math.prod(shape) for shape in shapes.values())
    if needed > limit:
        msg = (
            f"the teacher's targets need {needed / 1e9:.3g} GB, more than "
            f"model.init_args.frozen_teacher.limit_gb {limit / 1e9:g}: raise it, lower data.views "
            "or set model.init_args.features to pooled"
        )
        raise InputError(msg)
    text = json.dumps({**key, "dtype": np.dtype(dtype).name}, sort_keys=True)
    folder = root / hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(root, folder, limit - needed)
        return {
            name: TargetCache(folder, name, samples, shape, dtype) for name, shape in shapes.items()
        }
    # numpy raises ValueError for a damaged header.
    except (OSError, ValueError) as error:
        msg = (
            f"{folder}: cannot hold the teacher's targets ({error}): free some space, remove the "
            "folder, or set model.init_args.frozen_teacher.cache to off"
        )
        raise InputError(msg) from error


def _open(path: Path, dtype: type, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map an array into memory; the first process creates it, complete and filled with zeros."""
    if not path.exists():
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".") as partial:
            np.lib.format.open_memmap(partial.name, "w+", dtype, shape)
            # Without reserved blocks a full disk ends the process with SIGBUS. Not on macOS.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(partial.fileno(), 0, Path(partial.name).stat().st_size)
            with suppress(FileExistsError):
                os.link(partial.name, path)
    return np.lib.format.open_memmap(path, "r+")


def _make_room(root: Path, kept: Path, limit: int) -> None:
    """Remove other caches, the oldest first, until they take `limit` bytes or less."""
    others = []
    for path in {array.parent for array in root.glob("*/*-valid.npy")} - {kept}:
        with suppress(FileNotFoundError):  # another rank may be removing it
            size = sum(file.stat().st_size for file in path.iterdir())
            others.append((path.stat().st_mtime, size, path))
    taken = sum(size for _, size, _ in others)
    for _, size, path in sorted(others):
        if taken <= limit:
            return
        shutil.rmtree(path, ignore_errors=True)
        taken -= size
