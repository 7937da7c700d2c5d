import fcntl
from pathlib import Path
from typing import IO

from errors import InputError
from records.files import PARTIAL

# The suffix of unfinished files, which a folder may hold before the store is created.
_NAME = f".lock{PARTIAL}"


class FolderLock:
    """Lock on a folder, across the machines that share it, so that one run at a time writes.

    The system releases it when the process ends, however it ends. Unlike with `flock`, forked
    processes do not keep it. A file system without locks is not locked.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._file: IO[bytes] | None = None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Create the folder if it is missing, and lock it until `release`.

        Raises:
            InputError: Another process holds the lock, or the folder is not writable.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._file = (self.root / _NAME).open("ab")
        except OSError as error:
            msg = f"{self.root}: cannot be written ({error.strerror}); choose another folder"
            raise InputError(msg) from error
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            self.release()
            msg = (
                f"{self.root}: another extraction or import is writing into it; wait for its end, "
                f"use more devices for an extraction, or choose another folder"
            )
            raise InputError(msg) from error
        except OSError:
            return

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None
