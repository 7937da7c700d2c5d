"""Settings of the Trainer that cannot work here, and its own mistakes told in one line."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Union, get_args

import torch
from lightning import Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch.distributed import DistError

from errors import InputError

# Trainer's settings that do not work in manual optimization, unset, and ours in their place.
MANUAL = {
    "accumulate_grad_batches": (1, "accumulate"),
    "gradient_clip_val": (None, "gradient_clip"),
}
# What gloo and NCCL say where the other end is not there any more.
PEER_IS_GONE = ("Connection closed by peer", "Connection reset by peer", "remote process exited")
LAUNCHER_LOOKS = 15.0


def put_whole_numbers_first() -> None:
    """Let `limit_train_batches: 1` be one batch, not 1.0, all of them.

    Python caches `Optional[int | float]` whatever the order of its members. Where a library has
    asked for `Optional[float | int]` before Lightning is imported, Trainer's hints are that.
    """
    hints = Trainer.__init__.__annotations__
    for name, hint in hints.items():
        members = get_args(hint)
        if int in members and float in members:
            hints[name] = Union[(int, *(member for member in members if member is not int))]


def refuse_what_cannot_work(trainer: Any) -> None:
    """Check the Trainer's configuration before it is built.

    Raises:
        InputError: A setting does not work here; the message says what does.
    """
    for theirs, (unset, ours) in MANUAL.items():
        if trainer[theirs] != unset:
            msg = (
                f"trainer.{theirs} is {trainer[theirs]}, but homogenization needs manual "
                f"optimization, where Lightning leaves it to us: use model.init_args.{ours}"
            )
            raise InputError(msg)
    _refuse_devices(trainer)
    if _on_cpu(trainer) and str(trainer["precision"]).startswith("16"):
        msg = (
            f"trainer.precision is {trainer['precision']}, which needs a GPU: on the CPU use "
            "bf16-mixed or 32-true"
        )
        raise InputError(msg)


def _on_cpu(trainer: Any) -> bool:
    return trainer["accelerator"] == "cpu" or not torch.accelerator.is_available()


def _refuse_devices(trainer: Any) -> None:
    devices, cores = trainer["devices"], os.cpu_count() or 1
    if _on_cpu(trainer) and str(devices).isdigit() and int(devices) > cores:
        msg = (
            f"trainer.devices is {devices}, but this machine has {cores} cores, and a process on "
            f"the CPU needs one: use {cores} at most"
        )
        raise InputError(msg)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Tell what Lightning and torch.distributed refuse as mistakes in the configuration."""
    try:
        yield
    except MisconfigurationException as error:
        raise InputError(" ".join(str(error).split())) from error
    except DistError as error:
        raise InputError(_of_ranks(error)) from error
    except RuntimeError as error:
        if not any(sign in str(error) for sign in PEER_IS_GONE):
            raise
        # The launcher looks after the ranks every few seconds; it knows which one has died.
        time.sleep(LAUNCHER_LOOKS)
        msg = f"another rank has died: {str(error).splitlines()[0]}: see what it said"
        raise InputError(msg) from error


def _of_ranks(error: DistError) -> str:
    reason = str(error).splitlines()[0]
    if "EADDRINUSE" in str(error) or "address already in use" in str(error):
        return (
            "the port that the ranks meet on is in use: choose another by MASTER_PORT, or "
            "torchrun's --master-port"
        )
    return f"the ranks cannot talk to one another: {reason}"
