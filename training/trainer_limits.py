"""Settings that cannot work, refused before the Trainer is built."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args

import torch
from lightning import Trainer
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.strategies import StrategyRegistry

from errors import InputError, look_up, require_number
from evaluation.metrics.aggregation import find_aggregation

LEAST = {
    "num_nodes": 1,
    "check_val_every_n_epoch": 1,
    "num_sanity_val_steps": -1,
    "log_every_n_steps": 0,
}
"""Smallest values of the Trainer's numbers; the libraries refuse others late, or train nothing."""

BATCHES = ("limit_train_batches", "limit_test_batches", "val_check_interval")
BATCHES_OR_NONE = ("limit_val_batches", "overfit_batches")
DEVICES = re.compile(r"auto|-1|[1-9]\d*|(\d+,)+\d*")
# Settings of the Trainer without effect in manual optimization, their defaults, and ours.
MANUAL = {
    "accumulate_grad_batches": (1, "accumulate"),
    "gradient_clip_val": (None, "gradient_clip"),
}
# Weights in half precision: no decomposition supports it, and the rotations leave SO(C).
HALF = ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16")


def put_whole_numbers_first() -> None:
    """Parse `limit_train_batches: 1` as one batch, not as 1.0, all of them.

    Python caches `Optional[int | float]` whatever the order of its members. If a library has used
    `Optional[float | int]` before Lightning is imported, the Trainer's hints are in that order.
    """
    hints = Trainer.__init__.__annotations__
    for name, hint in hints.items():
        members = get_args(hint)
        if int in members and float in members:
            hints[name] = Union[(int, *(member for member in members if member is not int))]


def refuse_what_cannot_work(config: Mapping[str, Any]) -> None:
    """Check the settings of the Trainer and of the run.

    Args:
        config: The run's configuration, as it is saved.

    Raises:
        InputError: A setting cannot work; the message names it and what is expected.
    """
    trainer, run = config["trainer"], config["run"]
    require_number("seed_everything", config["seed_everything"], least=0)
    require_number("run.save_every", run["save_every"], least=1)
    require_number("run.explosion", run["explosion"], above=0)
    find_aggregation(run["aggregation"])
    for name, least in LEAST.items():
        require_number(f"trainer.{name}", trainer[name], least=least)
    for name in ("max_epochs", "max_steps"):
        if trainer[name] != -1:  # no limit
            require_number(f"trainer.{name}", trainer[name], least=1)
    for name in (*BATCHES, *BATCHES_OR_NONE):
        value = trainer[name]
        if isinstance(value, float) and (value or name in BATCHES):  # a share of the batches
            require_number(f"trainer.{name}", value, above=0, most=1)
        elif isinstance(value, int):
            require_number(f"trainer.{name}", value, least=1 if name in BATCHES else 0)
    _refuse_hardware(trainer)
    for theirs, (unset, ours) in MANUAL.items():
        if trainer[theirs] != unset:
            msg = (
                f"trainer.{theirs} is {trainer[theirs]}, but homogenization needs manual "
                f"optimization, which Lightning leaves to the module: use model.init_args.{ours}"
            )
            raise InputError(msg)
    if trainer["fast_dev_run"]:
        msg = (
            "trainer.fast_dev_run saves no checkpoint: use trainer.max_epochs 1 with "
            "trainer.limit_train_batches and trainer.limit_val_batches"
        )
        raise InputError(msg)
    if trainer["max_epochs"] == trainer["max_steps"] == -1:
        msg = "trainer.max_epochs is -1: the schedule needs an end: set trainer.max_steps too"
        raise InputError(msg)


def refuse_no_validation(config: Mapping[str, Any]) -> None:
    """Check that a run has a validation to select the checkpoint by that it tests in the end.

    Raises:
        InputError: No epoch is validated.
    """
    trainer = config["trainer"]
    epochs, every = trainer["max_epochs"], trainer["check_val_every_n_epoch"]
    name = None
    if trainer["limit_val_batches"] == 0:
        name = "limit_val_batches"
    elif None not in (epochs, every) and 0 < epochs < every:
        name = "check_val_every_n_epoch"
    if config["run"]["test"] and name is not None:
        msg = (
            f"trainer.{name} is {trainer[name]}, so no epoch is validated, and run.test tests the "
            "best one: validate, or set run.test false"
        )
        raise InputError(msg)


def refuse_folder(folder: Path) -> None:
    """Check that a run's folder can be written to, or be created.

    Raises:
        InputError: It is a file, or it is not writable.
    """
    for path in (folder, *folder.absolute().parents):
        if path.is_dir() and os.access(path, os.W_OK):
            return
        if path.exists() or path.is_symlink():
            reason = "not writable" if path.is_dir() else "not a folder"
            msg = f"run.dir {folder}: {path} is {reason}: choose another run.dir"
            raise InputError(msg)


def _refuse_hardware(trainer: Mapping[str, Any]) -> None:
    accelerators = ("auto", "gpu", *AcceleratorRegistry.available_accelerators())
    strategies = ("auto", *StrategyRegistry.available_strategies())
    for name, available in {"accelerator": accelerators, "strategy": strategies}.items():
        if isinstance(trainer[name], str):
            look_up(f"trainer.{name}", trainer[name], dict.fromkeys(available))
    devices, cores = trainer["devices"], os.cpu_count() or 1
    number = ",".join(map(str, devices)) + "," if isinstance(devices, list) else str(devices)
    if not DEVICES.fullmatch(number):
        msg = (
            f"trainer.devices is {devices}: expected auto, -1 for all, a number from 1, or indices "
            "such as 0,1"
        )
        raise InputError(msg)
    on_cpu = trainer["accelerator"] == "cpu" or not torch.accelerator.is_available()
    if on_cpu and str(devices).isdigit() and int(devices) > cores:
        msg = (
            f"trainer.devices is {devices}, but this machine has {cores} cores, and a process on "
            f"the CPU needs one: use {cores} at most"
        )
        raise InputError(msg)
    precision = str(trainer["precision"])
    if precision in HALF:
        msg = (
            f"trainer.precision is {precision}, but the rotations stay orthogonal in full "
            "precision only: use bf16-mixed, 16-mixed, 32-true or 64-true"
        )
        raise InputError(msg)
    if on_cpu and precision.startswith("16"):
        msg = (
            f"trainer.precision is {precision}, which needs a GPU: on the CPU use bf16-mixed or "
            "32-true"
        )
        raise InputError(msg)
