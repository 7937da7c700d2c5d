"""Settings that cannot work, refused before the Trainer is built."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args

import torch
from lightning import Trainer
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.strategies import StrategyRegistry

from errors import InputError, look_up, require_number
from inference.aggregation import find_aggregation

# Smallest values of the Trainer's numbers; the libraries refuse others late, or train nothing.
LEAST = {"num_nodes": 1, "check_val_every_n_epoch": 1, "log_every_n_steps": 0}
LEAST_OR_UNLIMITED = {"max_epochs": 1, "max_steps": 1, "num_sanity_val_steps": 0}  # -1: no limit
# Numbers of batches, or shares of them.
BATCHES = ("limit_train_batches", "limit_test_batches", "val_check_interval")
BATCHES_OR_NONE = ("limit_val_batches", "overfit_batches")
DEVICES = re.compile(r"auto|-1|[1-9]\d*|(\d+,)+\d*")
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


def refuse_what_cannot_work(config: Mapping[str, Any], *, fits: bool) -> None:
    """Check the settings of the Trainer and of the run; `fits` is whether it trains.

    Raises:
        InputError: A setting cannot work; the message names it and what is expected.
    """
    trainer, run = config["trainer"], config["run"]
    require_number("seed_everything", config["seed_everything"], least=0)
    require_number("run.save_every", run["save_every"], least=1)
    require_number("run.explosion", run["explosion"], above=0)
    find_aggregation(run["aggregation"])
    for name, least in {**LEAST, **LEAST_OR_UNLIMITED}.items():
        if trainer[name] != -1 or name in LEAST:
            require_number(f"trainer.{name}", trainer[name], least=least)
    for name in (*BATCHES, *BATCHES_OR_NONE):
        value = trainer[name]
        if isinstance(value, float) and (value or name in BATCHES):  # a share of the batches
            require_number(f"trainer.{name}", value, above=0, most=1)
        elif isinstance(value, int):
            require_number(f"trainer.{name}", value, least=1 if name in BATCHES else 0)
    accelerators = ("auto", "gpu", *AcceleratorRegistry.available_accelerators())
    strategies = ("auto", *StrategyRegistry.available_strategies())
    for name, available in {"accelerator": accelerators, "strategy": strategies}.items():
        if isinstance(trainer[name], str):
            look_up(f"trainer.{name}", trainer[name], dict.fromkeys(available))
    untested = _no_validation(trainer) if fits and run["test"] else ()
    for problem in (*_unsupported(trainer), *_no_hardware(trainer), *untested):
        msg = f"trainer.{problem}"
        raise InputError(msg)


def refuse_folder(folder: Path) -> None:
    """Check that a run's folder can be written to, or be created."""
    for path in (folder, *folder.absolute().parents):
        if path.is_dir() and os.access(path, os.W_OK):
            return
        if path.exists() or path.is_symlink():
            reason = "not writable" if path.is_dir() else "not a folder"
            msg = f"run.dir {folder}: {path} is {reason}: choose another run.dir"
            raise InputError(msg)


def _unsupported(trainer: Mapping[str, Any]) -> Iterator[str]:
    for name, unset, ours in (
        ("accumulate_grad_batches", 1, "accumulate"),
        ("gradient_clip_val", None, "gradient_clip"),
    ):
        if trainer[name] != unset:
            yield (
                f"{name} is {trainer[name]}, but homogenization needs manual optimization, which "
                f"Lightning leaves to the module: use model.init_args.{ours}"
            )
    if trainer["fast_dev_run"]:
        yield (
            "fast_dev_run saves no checkpoint: use trainer.max_epochs 1 with "
            "trainer.limit_train_batches and trainer.limit_val_batches"
        )
    if trainer["max_epochs"] == trainer["max_steps"] == -1:
        yield "max_epochs is -1: the schedule needs an end: set trainer.max_steps too"
    if trainer["precision"] in HALF:
        yield (
            f"precision is {trainer['precision']}, but the rotations stay orthogonal in full "
            "precision only: use bf16-mixed, 16-mixed, 32-true or 64-true"
        )


def _no_hardware(trainer: Mapping[str, Any]) -> Iterator[str]:
    devices, cores = trainer["devices"], os.cpu_count() or 1
    number = ",".join(map(str, devices)) + "," if isinstance(devices, list) else str(devices)
    if not DEVICES.fullmatch(number):
        yield f"devices is {devices}: expected auto, -1 for all, a number from 1, or indices as 0,1"
    if trainer["accelerator"] != "cpu" and torch.accelerator.is_available():
        return
    if str(devices).isdigit() and int(devices) > cores:
        yield (
            f"devices is {devices}, but this machine has {cores} cores, and a process on the CPU "
            f"needs one: use {cores} at most"
        )
    if str(trainer["precision"]).startswith("16"):
        yield (
            f"precision is {trainer['precision']}, which needs a GPU: on the CPU use bf16-mixed "
            "or 32-true"
        )


def _no_validation(trainer: Mapping[str, Any]) -> Iterator[str]:
    """Yield why there is no validated epoch, of which `run.test` tests the best."""
    epochs, every = trainer["max_epochs"], trainer["check_val_every_n_epoch"]
    for name, is_never in (
        ("limit_val_batches", trainer["limit_val_batches"] == 0),
        ("check_val_every_n_epoch", None not in (epochs, every) and 0 < epochs < every),
    ):
        if is_never:
            yield (
                f"{name} is {trainer[name]}, so no epoch is validated, and run.test tests the best "
                "one: validate, or set run.test false"
            )
