"""A run's configuration: saved, hashed, and compared with that of an earlier run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

from lightning import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback

from datamodules.crops.store import CropStore
from records.files import read_yaml, require_file, sha256, write_file
from records.folder import RunFolder

_TESTED = ("test_datasets", "test_compressions", "test_crops", "slices")
# Settings in which a resumed run may differ: paths, speed, and what the run is tested on.
_FREE = {
    "model": ("teacher", "teachers", "compile", "frozen_teacher"),
    "data": ("crops", "num_workers", *_TESTED),
}
# Further settings that decide a run's results.
_DECISIVE = {
    "data": _TESTED,
    "run": ("method", "aggregation"),
    "trainer": (
        "max_epochs", "max_steps", "max_time", "limit_train_batches", "limit_val_batches",
        "limit_test_batches", "overfit_batches", "precision", "check_val_every_n_epoch",
        "val_check_interval",
    ),
}  # fmt: skip


class SavedModel(TypedDict):
    """The model of a saved configuration."""

    class_path: str
    init_args: dict[str, Any]


class SavedConfig(TypedDict):
    """The parts of config.yaml that decide a run's results."""

    seed_everything: int
    model: SavedModel
    data: dict[str, Any]
    trainer: dict[str, Any]
    run: dict[str, Any]


def read_configs(argv: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read the config files that a command line names with -c or --config, by their paths.

    Raises:
        InputError: A file is missing, or is no configuration in YAML.
    """
    paths = [
        value or following
        for word, following in pairwise([*argv, ""])
        for option, _, value in [word.partition("=")]
        if option in ("-c", "--config")
    ]
    expected = "a configuration in YAML"
    return {path: read_yaml(Path(path), dict[str, Any], expected, "check -c") for path in paths}


class SaveRunConfig(SaveConfigCallback):
    """Saves the complete configuration as config.yaml of the run's folder."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write config.yaml when training begins; a test of the run leaves the file unchanged."""
        if stage == "fit":
            text = self.parser.dump(self.config, skip_none=False)
            write_file(RunFolder(Path(self.config["run"]["dir"])).config, text)


def settings_of(config: Mapping[str, Any], *, decisive: bool = False) -> dict[str, Any]:
    """Return the settings that a run must share with the checkpoint that it resumes from.

    With `decisive`, further ones are added that decide the run's results.
    """
    model, data = config["model"], config["data"]
    arguments = model["init_args"].items()
    settings = {
        "model.class_path": model["class_path"].rpartition(".")[2],
        "seed_everything": config["seed_everything"],
        **{f"model.init_args.{k}": v for k, v in arguments if k not in _FREE["model"]},
        **{f"data.{k}": v for k, v in data.items() if k not in _FREE["data"]},
    }
    if decisive:
        for part, names in _DECISIVE.items():
            settings |= {f"{part}.{name}": config[part].get(name) for name in names}
    return settings


def identity_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of `settings_of`, with the hashes of the teachers and of the data.

    Raises:
        InputError: A file of a teacher or the crop store is missing.
    """
    arguments = config["model"]["init_args"]
    teacher = arguments.get("teacher")
    if teacher is not None:
        remedy = "set model.init_args.teacher to a best.ckpt of a teacher's run"
        require_file(Path(teacher), "a teacher's checkpoint", remedy)
    several = (arguments.get("teachers") or {}).items()
    return settings_of(config) | {
        "teacher's checkpoint": None if teacher is None else sha256(Path(teacher)),
        "teachers": {name: _by_content(name, spec) for name, spec in several} or None,
        "data.crops' manifest": CropStore(Path(config["data"]["crops"])).manifest_hash,
    }


def _by_content(name: str, teacher: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of one of several teachers, its files as hashes."""
    files = {}
    for key in ("checkpoint", "weights"):
        if teacher.get(key) is not None:
            option = f"model.init_args.teachers.{name}.{key}"
            require_file(Path(teacher[key]), "a teacher's file", f"correct {option}")
            files[key] = sha256(Path(teacher[key]))
    return {**teacher, **files}


def config_hash(config: Mapping[str, Any]) -> str:
    """Return a hash of the settings that decide the weights."""
    relevant = {key: config[key] for key in ("model", "data", "seed_everything")}
    further = ("test_crops", "slices")
    relevant["data"] = {key: v for key, v in config["data"].items() if key not in further}
    relevant["epochs"] = config["trainer"]["max_epochs"]
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:16]
