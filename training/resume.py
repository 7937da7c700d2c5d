"""How a run starts: from scratch, from a checkpoint, or not at all because it is finished."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from errors import InputError, refuse_difference
from records.checkpoints import (
    CLASS_PATH,
    is_whole,
    read_hyperparameters,
    read_identity,
    require_whole,
)
from records.files import read_yaml
from records.folder import RunFolder
from training.run_config import SavedConfig, identity_of, settings_of


def is_finished(folder: RunFolder, config: Mapping[str, Any]) -> bool:
    """Return whether the folder holds the results of this very run.

    Raises:
        InputError: It holds the results of a run with other settings, data or teacher.
    """
    if not folder.results.exists():
        return False
    remedy = "choose another run.dir, or delete the folder to train again"
    saved = read_yaml(folder.config, SavedConfig, "the configuration of a finished run", remedy)
    subject = f"{folder.path}: holds a finished run with"
    before, now = (settings_of(settings, decisive=True) for settings in (saved, config))
    refuse_difference(subject, before, now, remedy)
    if folder.last.exists():
        identity = read_identity(folder.last, remedy)
        refuse_difference(subject, identity, identity_of(config), remedy)
    return True


def checkpoint_to_resume(folder: RunFolder, resume: bool | str) -> Path | None:
    """Return the checkpoint that a run resumes from, or None if it starts from scratch.

    `resume` is False; True or "auto" for the folder's newest whole checkpoint; or a path.

    Raises:
        InputError: The path is no whole checkpoint, every checkpoint in the folder is damaged, or
            the folder holds a checkpoint and the run is not to resume.
    """
    if isinstance(resume, str) and resume != "auto":
        require_whole(Path(resume), "set run.resume to a last.ckpt, or to auto")
        return Path(resume)
    found = [path for path in (folder.last, folder.before_last) if path.exists()]
    if not found:
        return None
    if not resume:
        msg = (
            f"{folder.path}: holds checkpoints of an unfinished run: resume it with --run.resume "
            "auto, choose another run.dir, or delete the folder to start again"
        )
        raise InputError(msg)
    for path in found:
        if is_whole(path):
            return path
        print(f"warning: {path} is cut short or damaged: trying the one before")
    msg = f"run.resume: all of {folder.checkpoints} is damaged: delete the folder to start again"
    raise InputError(msg)


def refuse_another_run(path: Path, config: Mapping[str, Any]) -> None:
    """Check that a checkpoint was saved by this run.

    Raises:
        InputError: The model, the data or a setting differs; the message names the first.
    """
    remedy = "set it back, or choose another run.dir"
    subject = f"{path}: saved by a run with"
    refuse_difference(subject, read_identity(path), identity_of(config), remedy)


def check_given_checkpoint(path: Path, model: Mapping[str, Any], *, same: bool) -> None:
    """Check that a checkpoint is of the configured `model`, and has the `same` hyperparameters.

    Lightning lets a checkpoint's hyperparameters override the configuration; the results of
    another model would be written under this run's name.

    Raises:
        InputError: It is missing or damaged, or its model is another one.
    """
    require_whole(path)
    theirs, ours = read_hyperparameters(path), model["init_args"]
    saved = {"class": theirs.pop(CLASS_PATH).rpartition(".")[2]}
    current = {"class": model["class_path"].rpartition(".")[2]}
    for name in sorted(theirs.keys() & ours.keys()) if same else ():
        saved[name], current[name] = theirs[name], ours[name]
    remedy = "pass the config.yaml of the checkpoint's run"
    refuse_difference(f"{path}: trained with", saved, current, remedy)
