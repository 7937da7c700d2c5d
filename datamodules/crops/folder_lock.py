import fcntl
from pathlib import Path
from typing import IO

from errors import InputError

# Ends as the store's unfinished files do, which may be there before the store is made.
_NAME = ".lock.part"


class FolderLock:
    """Lets one run at a time write into a folder, across the machines that share it.

    The system lets go of it when the process ends, however it ends; unlike with `flock`, processes
    forked from it do not hold it on. Where a file system knows no locks there is none.

    Args:
        root: The folder; made where it is not there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._file: IO[bytes] | None = None

    def acquire(self) -> None:
        """Take it, until `release`.

        Raises:
            InputError: Another process has it, or the folder cannot be written.
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
                f"{self.root}: another extraction is writing into it; let it end, or give it more "
                f"devices, or choose another folder"
            )
            raise InputError(msg) from error
        except OSError:
            return

    def release(self) -> None:
        """Let others have it."""
        if self._file is not None:
            self._file.close()
            self._file = None
