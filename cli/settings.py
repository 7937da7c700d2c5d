"""Settings of the Trainer that cannot work here, and its own mistakes told in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch.distributed import DistError

from errors import InputError

# Trainer's settings that do not work in manual optimization, unset, and ours in their place.
MANUAL = {
    "accumulate_grad_batches": (1, "accumulate"),
    "gradient_clip_val": (None, "gradient_clip"),
}
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


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


def _refuse_devices(trainer: Any) -> None:
    devices, cores = trainer["devices"], os.cpu_count() or 1
    on_cpu = trainer["accelerator"] == "cpu" or not torch.accelerator.is_available()
    if on_cpu and str(devices).isdigit() and int(devices) > cores:
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


def _of_ranks(error: DistError) -> str:
    reason = str(error).splitlines()[0]
    if "EADDRINUSE" in str(error) or "address already in use" in str(error):
        return (
            "the port that the ranks meet on is in use: choose another by MASTER_PORT, or "
            "torchrun's --master-port"
        )
    return f"the ranks cannot talk to one another: {reason}"
