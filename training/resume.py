"""Which checkpoint a run starts from, and whether that checkpoint belongs to the run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.crops.store import CropStore
from errors import InputError
from records.checkpoints import (
    CLASS_PATH,
    first_difference,
    is_whole,
    read_hyperparameters,
    read_identity,
    require_whole,
)
from records.files import sha256
from records.folder import RunFolder

# Settings in which a resumed run may differ: paths, speed, and what the run is tested on.
_FREE = {
    "model": ("teacher", "compile", "frozen_teacher"),
    "data": ("crops", "num_workers", "test_datasets", "test_compressions"),
}


def checkpoint_to_resume(folder: RunFolder, resume: bool | str) -> Path | None:
    """Return the checkpoint that a run resumes from, or None if it starts anew.

    Args:
        folder: The run's folder.
        resume: False; True or "auto" for the newest whole checkpoint of the folder; or a path.

    Raises:
        InputError: The path is no whole checkpoint, or every checkpoint in the folder is damaged.
    """
    if resume is False:
        return None
    if isinstance(resume, str) and resume != "auto":
        require_whole(Path(resume), "set run.resume to a last.ckpt, or to auto")
        return Path(resume)
    found = [path for path in (folder.last, folder.before_last) if path.exists()]
    for path in found:
        if is_whole(path):
            return path
        print(f"warning: {path} is cut short or damaged: trying the one before")
    if found:
        msg = (
            f"run.resume: every checkpoint in {folder.checkpoints} is damaged: delete the folder "
            "to start again"
        )
        raise InputError(msg)
    return None


def identity_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a run must share with the checkpoint that it resumes from.

    Args:
        config: The run's configuration, as it is saved.
    """
    model, data = config["model"], config["data"]
    shared = {
        f"model.init_args.{name}": value
        for name, value in model["init_args"].items()
        if name not in _FREE["model"]
    }
    shared |= {f"data.{name}": v for name, v in data.items() if name not in _FREE["data"]}
    teacher = model["init_args"].get("teacher")
    return {
        "model.class_path": model["class_path"].rpartition(".")[2],
        "seed_everything": config["seed_everything"],
        **shared,
        "teacher's checkpoint": sha256(Path(teacher)) if teacher else None,
        "data.crops' manifest": CropStore(Path(data["crops"])).manifest_hash,
    }


def refuse_another_run(path: Path, identity: Mapping[str, Any]) -> None:
    """Check that a checkpoint was saved by this run.

    Raises:
        InputError: The model, the data or a setting differs; the message names the first.
    """
    different = first_difference(read_identity(path), identity)
    if different is not None:
        name, saved, current = different
        msg = (
            f"{path}: saved by a run with {name} {saved}, but here it is {current}: set it back, "
            "or choose another run.dir"
        )
        raise InputError(msg)


def check_tested_checkpoint(path: Path, model: Mapping[str, Any]) -> None:
    """Check that a checkpoint is of the configured model.

    Lightning lets a checkpoint's hyperparameters override the configuration; the results of
    another model would be written under this run's name.

    Args:
        path: The checkpoint.
        model: `class_path` and `init_args` of the configuration.

    Raises:
        InputError: It is missing or damaged, or its model has other settings.
    """
    remedy = "pass the config.yaml of the checkpoint's run"
    saved = read_hyperparameters(path)
    theirs, ours = (
        str(name).rpartition(".")[2] for name in (saved.pop(CLASS_PATH), model["class_path"])
    )
    if ours != theirs:
        msg = f"{path}: a checkpoint of {theirs}, but the configuration names {ours}: {remedy}"
        raise InputError(msg)
    configured = model["init_args"]
    common = saved.keys() & configured.keys()
    different = first_difference(
        {name: saved[name] for name in common}, {name: configured[name] for name in common}
    )
    if different is not None:
        name, trained, given = different
        msg = f"{path}: trained with {name} {trained}, but the configuration has {given}: {remedy}"
        raise InputError(msg)
