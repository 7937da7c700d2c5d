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
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from errors import InputError

# Trainer's settings that do not work in manual optimization, unset, and ours in their place.
MANUAL = {
    "accumulate_grad_batches": (1, "accumulate"),
    "gradient_clip_val": (None, "gradient_clip"),
}
# Weights themselves in half precision: no decomposition works in it, and R leaves SO(C).
HALF = ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16")
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
    if trainer["precision"] in HALF:
        msg = (
            f"trainer.precision is {trainer['precision']}, but rotations stay orthogonal in full "
            "precision alone: use bf16-mixed, 16-mixed, 32-true or 64-true"
        )
        raise InputError(msg)
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
        raise InputError(_of_ranks(str(error))) from error
    except ProcessExitedException as error:
        msg = (
            f"rank {error.error_index} has died: {error}; the others were stopped: look for what "
            "it said, and go on with --run.resume auto"
        )
        raise InputError(msg) from error
    except ProcessRaisedException as error:
        raise InputError(_of_a_fork(error)) from error
    except RuntimeError as error:
        if type(error).__module__ in ("torch._dynamo.exc", "torch._inductor.exc"):
            msg = (
                f"the model cannot be compiled: {str(error).splitlines()[0]}: leave "
                "model.init_args.compile out, or see to it that there is a C++ compiler"
            )
            raise InputError(msg) from error
        if not any(sign in str(error) for sign in PEER_IS_GONE):
            raise
        # The launcher looks after the ranks every few seconds; it knows which one has died.
        time.sleep(LAUNCHER_LOOKS)
        msg = f"another rank has died: {str(error).splitlines()[0]}: see what it said"
        raise InputError(msg) from error
    # Of wandb, which is imported only where it is used; anything else goes on as it is.
    except Exception as error:
        if not type(error).__module__.startswith("wandb."):
            raise
        msg = (
            f"W&B: {str(error).splitlines()[0]} Set WANDB_API_KEY or run `wandb login`, or log "
            "with --run.wandb offline and send it later by `wandb sync`"
        )
        raise InputError(msg) from error


def _of_ranks(message: str) -> str:
    if "EADDRINUSE" in message or "address already in use" in message:
        return (
            "the port that the ranks meet on is in use: choose another by MASTER_PORT, or "
            "torchrun's --master-port"
        )
    return f"the ranks cannot talk to one another: {message.splitlines()[0]}"


def _of_a_fork(error: ProcessRaisedException) -> str:
    """What a forked rank says of a mistake; anything else goes on with its traceback."""
    name, _, reason = str(error).strip().splitlines()[-1].partition(": ")
    if name == "errors.InputError":
        return reason
    if name.startswith("torch.distributed."):
        return _of_ranks(reason)
    raise error
