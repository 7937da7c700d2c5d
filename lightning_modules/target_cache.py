import os
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError

KEYS, RECORDS = "keys.bin", "records.bin"
# Entries of a full stretch that are looked through for a key before it counts as not there.
_PROBES = 64
_ZEROS = bytes(1 << 20)
View = tuple[int, int]
"""A crop's manifest row, and the seed of its augmentation."""


class FeatureCache:
    """Records of one size by crop and view, in a folder that the processes of a machine share.

    A hash table of so many slots: when it is full, nothing more is kept. A record counts only where
    its checksum holds, so that one that was being written when a process was killed, or by two at
    once, is as if it were not there.

    Args:
        folder: Made where it is not there. A folder is of records of one size.
        record: Bytes of a record.
        slots: Records to keep at most.

    Raises:
        InputError: The folder cannot be written.
    """

    def __init__(self, folder: Path, record: int, slots: int) -> None:
        self.folder = folder
        self.record = record
        self.full = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / KEYS).exists():
                self._create(slots)
            # Row + 1, seed and checksum of each slot; an empty one is zero.
            self._keys = np.memmap(folder / KEYS, np.int64, "r+").reshape(-1, 3)
            self._file = os.open(folder / RECORDS, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            msg = f"{folder}: no teacher features can be kept here: {error.strerror}"
            raise InputError(msg) from error

    def __len__(self) -> int:
        return int(np.count_nonzero(self._keys[:, 0]))

    def get(self, views: Sequence[View]) -> list[bytes | None]:
        """Give the record of each view, None where it is not there."""
        return [self._read(*view) for view in views]

    def put(self, views: Sequence[View], records: NDArray[np.uint8]) -> None:
        """Keep records `[views, bytes]`; a full disk or table keeps what there is."""
        for view, record in zip(views, records, strict=True):
            slot, there = self._slot(*view)
            if slot is None:
                self.full = True
                return
            data = record.tobytes()
            if there and self._keys[slot, 2] == zlib.crc32(data):
                continue
            try:
                os.pwrite(self._file, data, slot * self.record)
            except OSError:
                self.full = True
                return
            # The key comes last: what it names has been written.
            self._keys[slot] = (view[0] + 1, view[1], zlib.crc32(data))

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, row: int, seed: int) -> bytes | None:
        slot, there = self._slot(row, seed)
        if slot is None or not there:
            return None
        data = os.pread(self._file, self.record, slot * self.record)
        return data if zlib.crc32(data) == self._keys[slot, 2] else None

    def _slot(self, row: int, seed: int) -> tuple[int | None, bool]:
        """The slot of a view and whether it is there, or else the free one that it would get."""
        slots = len(self._keys)
        first = (row * 0x9E3779B97F4A7C15 ^ seed * 0xBF58476D1CE4E5B9) >> 17
        for probe in range(min(_PROBES, slots)):
            slot = (first + probe) % slots
            key = self._keys[slot]
            if key[0] == 0:
                return slot, False
            if key[0] == row + 1 and key[1] == seed:
                return slot, True
        return None, False

    def _create(self, slots: int) -> None:
        """Make the table of keys whole or not at all, by whichever process comes first."""
        partial = self.folder / f".{KEYS}.{os.getpid()}"
        # Written rather than left as a hole: a full disk is an error here, not a signal later.
        with partial.open("wb") as file:
            left = 24 * slots
            while left:
                left -= file.write(_ZEROS[:left])
        try:
            os.link(partial, self.folder / KEYS)
        except FileExistsError:
            pass
        finally:
            partial.unlink()


def make_room(folder: Path, keep: str, limit: int) -> None:
    """Remove the caches of a folder that were begun first until the others hold `limit` bytes.

    Args:
        folder: Holds one folder for each cache.
        keep: Name of the one that is not counted.
        limit: In bytes on the disk.
    """
    if not folder.is_dir():
        return
    caches = [path for path in folder.iterdir() if path.name != keep and (path / KEYS).exists()]
    caches.sort(key=lambda path: (path / KEYS).stat().st_mtime)
    sizes = [sum(file.stat().st_blocks * 512 for file in path.iterdir()) for path in caches]
    for path, size in zip(caches, sizes, strict=True):
        if sum(sizes) <= limit:
            return
        shutil.rmtree(path, ignore_errors=True)
        sizes[sizes.index(size)] = 0
