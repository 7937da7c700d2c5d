import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from records.files import replacing
from records.folder import RunFolder


class WholeCheckpoints(TorchCheckpointIO):
    """Writes every checkpoint whole or not at all, and keeps the newest one but one.

    Lightning writes to the system's temporary folder first. Moving a file from another disk copies
    it, so a full disk would destroy the checkpoint that is replaced.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Save a checkpoint.

        Raises:
            InputError: It cannot be written; the previous checkpoint is unchanged.
        """
        path = Path(path)
        with replacing(path) as partial:
            _save(checkpoint, partial)
            folder = RunFolder.of_checkpoint(path)
            if path == folder.last and path.is_file():
                _keep(path, folder.before_last)


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    try:
        with path.open("wb") as file:
            torch.save(checkpoint, file)
    except RuntimeError as error:
        # torch's zip writer fails on its own state after the file has refused a write.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _keep(path: Path, second: Path) -> None:
    """Give a file a second name; it keeps the first one if the process is killed here."""
    second.unlink(missing_ok=True)
    try:
        os.link(path, second)
    except OSError:  # a file system without hard links
        path.replace(second)
