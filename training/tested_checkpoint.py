from collections.abc import Mapping
from pathlib import Path
from typing import Any

from errors import InputError
from lightning_modules.checkpoints import read_hyperparameters


def check_checkpoint(path: Path, model: Mapping[str, Any]) -> None:
    """Refuse to test a checkpoint as what it is not.

    Lightning lets a checkpoint's hyperparameters override the configuration, so another model's
    figures would be written under this run's name.

    Args:
        path: The checkpoint.
        model: `class_path` and `init_args` of the configuration.

    Raises:
        InputError: It is missing, damaged, or of a model that was configured otherwise.
    """
    saved = read_hyperparameters(path)
    class_path = str(saved.pop("_class_path", ""))
    ours, theirs = (name.rpartition(".")[2] for name in (model["class_path"], class_path))
    if ours != theirs:
        msg = (
            f"{path}: a checkpoint of {theirs or 'something else'}, but the configuration names "
            f"{ours}: give the config.yaml that lies beside the checkpoint's folder"
        )
        raise InputError(msg)
    configured = model["init_args"]
    for name in sorted(saved.keys() & configured.keys()):
        if saved[name] != configured[name]:
            msg = (
                f"{path}: trained with {name} {saved[name]}, but the configuration says "
                f"{configured[name]}: give the config.yaml that lies beside the checkpoint's folder"
            )
            raise InputError(msg)
