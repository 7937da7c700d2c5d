import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO

from errors import InputError
from training.resume import BEFORE, LAST


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and then moves it there: whole or not at all.

    Lightning goes by the machine's temporary folder: moving from another disk is copying, and a
    full disk then costs the checkpoint that was there.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Save.

        Raises:
            InputError: It cannot be written; what was there before is still there.
        """
        place = Path(path)
        partial = place.with_name(f".{place.name}.partial")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if place.name == LAST and place.is_file():
                _keep(place, place.with_name(BEFORE))
            partial.replace(place)
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            cause = error if isinstance(error, OSError) else error.__context__
            reason = getattr(cause, "strerror", None) or str(error).splitlines()[0]
            msg = (
                f"{place} cannot be saved: {reason}; the checkpoints from before are whole: make "
                "room and go on with --run.resume auto"
            )
            raise InputError(msg) from error


def _keep(place: Path, second: Path) -> None:
    """Give a file a second name; a process that is killed here leaves it its first."""
    second.unlink(missing_ok=True)
    try:
        os.link(place, second)
    except OSError:  # a file system without hard links
        place.replace(second)
