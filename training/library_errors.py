"""Errors of Lightning, torch and W&B as one-line messages."""

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch.distributed import DistError
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from errors import InputError

# What gloo and NCCL report when the other process has ended.
PEER_IS_GONE = ("Connection closed by peer", "Connection reset by peer", "remote process exited")
LAUNCHER_POLLS = 15.0


@contextmanager
def as_input_errors(remedy: str) -> Iterator[None]:
    """Raise what the libraries refuse as an InputError; other errors keep their traceback.

    `remedy` is how to continue after an interruption, for the message.
    """
    try:
        yield
    except InputError:
        raise
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning exits with status 1
            print(f"interrupted: {remedy}", file=sys.stderr)
            sys.exit(130)
        raise
    except Exception as error:
        message = _message(error, remedy)
        if message is None:
            raise
        raise InputError(" ".join(message.split())) from error


def _message(error: Exception, remedy: str) -> str | None:
    text = str(error).strip() or type(error).__name__
    first, module = text.splitlines()[0], type(error).__module__
    if isinstance(error, MisconfigurationException):
        return text
    if isinstance(error, DistError):
        return _of_ranks(text)
    if isinstance(error, ProcessRaisedException):  # the last line is the forked rank's error
        name, _, reason = text.splitlines()[-1].partition(": ")
        if name == "errors.InputError":
            return reason
        return _of_ranks(reason) if name.startswith("torch.distributed.") else None
    if isinstance(error, ProcessExitedException):
        return (
            f"rank {error.error_index} has died: {error}; the others were stopped: see its output, "
            f"and {remedy}"
        )
    if module in ("torch._dynamo.exc", "torch._inductor.exc"):
        return (
            f"the model cannot be compiled: {first}: omit model.init_args.compile, or install a "
            "C++ compiler"
        )
    if isinstance(error, RuntimeError) and any(sign in text for sign in PEER_IS_GONE):
        # The launcher polls the ranks every few seconds; it knows which one has died.
        time.sleep(LAUNCHER_POLLS)
        return f"another rank has died: {first}: see its output"
    if module.startswith("wandb."):  # imported only by runs that log to it
        return (
            f"W&B: {first} Set WANDB_API_KEY or run `wandb login`, or log with --run.wandb offline "
            "and upload later with `wandb sync`"
        )
    if isinstance(error, TypeError | ValueError):  # Lightning's own code raises them for settings
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).startswith("lightning."):
            return f"the Trainer refuses a setting: {error}"
    return None


def _of_ranks(message: str) -> str:
    if "EADDRINUSE" in message or "address already in use" in message:
        return (
            "the port on which the ranks meet is in use: choose another with MASTER_PORT, or "
            "torchrun's --master-port"
        )
    return f"the ranks cannot reach one another: {message.splitlines()[0]}"
