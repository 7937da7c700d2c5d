"""From which checkpoint a run goes on, and whether it is a checkpoint of this very run."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import torch

from datamodules.crops.store import CropStore
from errors import InputError

LAST, BEFORE = "last.ckpt", "before-last.ckpt"
# What may differ between a run and its resumption: where things lie, how fast it goes, and what it
# is tested on in the end.
_FREE = {
    "model": ("teacher", "compile", "teaching"),
    "data": ("crops", "num_workers", "test_datasets", "test_compressions"),
}


def checkpoint_to_resume(folder: Path, resume: bool | str) -> Path | None:
    """Find the checkpoint to go on from; none where a run begins.

    Args:
        folder: Of the run's checkpoints.
        resume: False, or True or "auto" for the last one that is whole, or a path.

    Raises:
        InputError: It is not there or damaged, and so is the one before.
    """
    if resume is False:
        return None
    if isinstance(resume, str) and resume != "auto":
        path = Path(resume)
        if not path.is_file():
            msg = f"run.resume: {path} is not there: give a checkpoint, or auto"
            raise InputError(msg)
        if not is_whole(path):
            msg = f"run.resume: {path} is cut short or damaged: give another, or auto"
            raise InputError(msg)
        return path
    there = [folder / name for name in (LAST, BEFORE) if (folder / name).is_file()]
    for path in there:
        if is_whole(path):
            return path
        print(f"warning: {path} is cut short or damaged: looking for the one before")
    if there:
        msg = f"run.resume: no whole checkpoint is left in {folder}: remove them to begin anew"
        raise InputError(msg)
    return None


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is complete: torch writes a zip file, with a checksum of every part."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, EOFError):
        return False


def identity_of(config: dict[str, Any]) -> dict[str, Any]:
    """What a run must have in common with the checkpoint that it goes on from.

    Args:
        config: The run's configuration, as it is saved.
    """
    model, data = config["model"], config["data"]
    kept = {
        f"model.init_args.{name}": value
        for name, value in model["init_args"].items()
        if name not in _FREE["model"]
    }
    kept |= {f"data.{name}": v for name, v in data.items() if name not in _FREE["data"]}
    teacher = model["init_args"].get("teacher")
    return {
        "model.class_path": model["class_path"].rpartition(".")[2],
        "seed_everything": config["seed_everything"],
        **kept,
        "teacher's checkpoint": _hash(teacher) if teacher and Path(teacher).is_file() else None,
        "data.crops' manifest": CropStore(Path(data["crops"])).manifest_hash,
    }


def refuse_another_run(path: Path, identity: dict[str, Any]) -> None:
    """Check that a checkpoint is one of this run.

    Raises:
        InputError: It is of another model, data set or setting; the message names the first.
    """
    saved = torch.load(path, weights_only=True, map_location="cpu", mmap=True).get("identity")
    if saved is None:
        return  # of a Trainer without our callbacks
    for name in sorted({*saved, *identity}):
        before, now = saved.get(name), identity.get(name)
        if before != now:
            msg = (
                f"{path} is of another run: its {name} is {_short(before)}, here it is "
                f"{_short(now)}: set it back, or begin anew in another run.dir"
            )
            raise InputError(msg)


def _hash(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
