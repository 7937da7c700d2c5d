"""What an earlier run in the same folder, or a given checkpoint, means for a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from errors import InputError
from records.checkpoints import (
    CLASS_PATH,
    first_difference,
    is_whole,
    read_hyperparameters,
    read_identity,
    require_whole,
)
from records.files import read_yaml
from records.folder import RunFolder
from training.run_config import decisive_settings_of, identity_of


def is_finished(folder: RunFolder, config: Mapping[str, Any]) -> bool:
    """Return whether the folder holds the results of this very run.

    Args:
        folder: The run's folder.
        config: The run's configuration, as it is saved.

    Raises:
        InputError: The folder holds the results of a run with other settings, data or teacher.
    """
    if not folder.results.exists():
        return False
    remedy = "choose another run.dir, or delete the folder to train again"
    saved = read_yaml(folder.config, dict, "the configuration of a finished run", remedy)
    different = first_difference(decisive_settings_of(saved), decisive_settings_of(config))
    if different is None and folder.last.exists():
        different = first_difference(read_identity(folder.last, remedy), identity_of(config))
    if different is not None:
        name, before, now = different
        msg = (
            f"{folder.path}: holds a finished run with {name} {before}, but here it is {now}: "
            f"{remedy}"
        )
        raise InputError(msg)
    return True


def checkpoint_to_resume(folder: RunFolder, resume: bool | str) -> Path | None:
    """Return the checkpoint that a run resumes from, or None if it starts anew.

    Args:
        folder: The run's folder.
        resume: False; True or "auto" for the newest whole checkpoint of the folder; or a path.

    Raises:
        InputError: The path is no whole checkpoint, every checkpoint in the folder is damaged, or
            the folder holds a checkpoint and the run is not to resume.
    """
    if isinstance(resume, str) and resume != "auto":
        require_whole(Path(resume), "set run.resume to a last.ckpt, or to auto")
        return Path(resume)
    found = [path for path in (folder.last, folder.before_last) if path.exists()]
    if found and not resume:
        msg = (
            f"{folder.path}: holds checkpoints of an unfinished run: resume it with --run.resume "
            "auto, choose another run.dir, or delete the folder to start again"
        )
        raise InputError(msg)
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


def check_given_checkpoint(path: Path, model: Mapping[str, Any], *, same: bool) -> None:
    """Check that a checkpoint is of the configured model.

    Lightning lets a checkpoint's hyperparameters override the configuration; the results of
    another model would be written under this run's name.

    Args:
        path: The checkpoint.
        model: `class_path` and `init_args` of the configuration.
        same: Whether the hyperparameters must be those of the configuration.

    Raises:
        InputError: It is missing or damaged, or its model is another one.
    """
    remedy = "pass the config.yaml of the checkpoint's run"
    require_whole(path)
    saved = read_hyperparameters(path)
    theirs, ours = (
        str(name).rpartition(".")[2] for name in (saved.pop(CLASS_PATH), model["class_path"])
    )
    if ours != theirs:
        msg = f"{path}: a checkpoint of {theirs}, but the configuration names {ours}: {remedy}"
        raise InputError(msg)
    configured = model["init_args"]
    common = saved.keys() & configured.keys() if same else ()
    different = first_difference(
        {name: saved[name] for name in common}, {name: configured[name] for name in common}
    )
    if different is not None:
        name, trained, given = different
        msg = f"{path}: trained with {name} {trained}, but the configuration has {given}: {remedy}"
        raise InputError(msg)
