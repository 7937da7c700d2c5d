"""Checkpoints as files: whether one is whole, what it was built with, which run saved it."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from errors import InputError
from records.files import require_file

EXPECTED = "a checkpoint of this project"
REMEDY = "pass a best.ckpt or last.ckpt of a run"
CLASS_PATH = "_class_path"
"""Key of the hyperparameters under which Lightning saves the module's class."""


def is_whole(path: Path) -> bool:
    """Return whether a checkpoint is complete: every part of torch's zip file has a checksum."""
    if not path.is_file():  # opening a FIFO would block
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # zipfile raises many types of error, depending on the damaged byte
        return False


def require_whole(path: Path, remedy: str = REMEDY) -> None:
    """Check that a checkpoint is complete.

    Raises:
        InputError: It is missing, not a regular file, damaged, or not a checkpoint.
    """
    require_file(path, EXPECTED, remedy)
    if not is_whole(path):
        raise InputError(_refusal(path, remedy))


def read_checkpoint(path: Path, remedy: str = REMEDY) -> dict[str, Any]:
    """Map a checkpoint of this project into memory, onto the CPU and without unpickling code.

    Raises:
        InputError: It is missing, not a regular file, damaged, or not a checkpoint of this project.
    """
    require_file(path, EXPECTED, remedy)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a file cut short, a pickle and a text each fail differently
        raise InputError(_refusal(path, remedy)) from error
    hyperparameters = checkpoint.get("hyper_parameters") if isinstance(checkpoint, dict) else None
    if not isinstance(hyperparameters, dict) or CLASS_PATH not in hyperparameters:
        raise InputError(_refusal(path, remedy))
    return checkpoint


def read_hyperparameters(path: Path, remedy: str = REMEDY) -> dict[str, Any]:
    """Return the arguments a module was built with, its class path under `CLASS_PATH`.

    Raises:
        InputError: See `read_checkpoint`.
    """
    return dict(read_checkpoint(path, remedy)["hyper_parameters"])


def read_identity(path: Path, remedy: str = REMEDY) -> dict[str, Any]:
    """Return the settings that a run must share with the run that saved the checkpoint.

    Raises:
        InputError: See `read_checkpoint`; or no `two-in-one fit` saved it.
    """
    identity = read_checkpoint(path, remedy).get("identity")
    if not isinstance(identity, dict) or not identity:
        msg = f"{path}: not saved by two-in-one fit, expected {EXPECTED}: {remedy}"
        raise InputError(msg)
    return identity


def _refusal(path: Path, remedy: str) -> str:
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
        reason = "cut short or damaged" if is_zip and not is_whole(path) else "another kind of file"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    return f"{path}: {reason}, expected {EXPECTED}: {remedy}"
