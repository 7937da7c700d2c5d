"""What Lightning, torch and W&B refuse, as one line per mistake."""

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
def as_input_errors() -> Iterator[None]:
    """Raise what the libraries refuse as an InputError; other errors keep their traceback."""
    try:
        yield
    except InputError:
        raise
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning exits with status 1
            print("interrupted: continue with --run.resume auto", file=sys.stderr)
            sys.exit(130)
        raise
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        raise InputError(" ".join(message.split())) from error


def _message(error: Exception) -> str | None:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    module = type(error).__module__
    if isinstance(error, MisconfigurationException):
        return str(error)
    if isinstance(error, DistError):
        return _of_ranks(str(error))
    if isinstance(error, ProcessExitedException):
        return (
            f"rank {error.error_index} has died: {error}; the others were stopped: see its output, "
            "and continue with --run.resume auto"
        )
    if isinstance(error, ProcessRaisedException):
        return _of_a_fork(error)
    if module in ("torch._dynamo.exc", "torch._inductor.exc"):
        return (
            f"the model cannot be compiled: {first}: omit model.init_args.compile, or install a "
            "C++ compiler"
        )
    if isinstance(error, RuntimeError) and any(sign in str(error) for sign in PEER_IS_GONE):
        # The launcher polls the ranks every few seconds; it knows which one has died.
        time.sleep(LAUNCHER_POLLS)
        return f"another rank has died: {first}: see its output"
    if module.startswith("wandb."):  # imported only by runs that log to it
        return (
            f"W&B: {first} Set WANDB_API_KEY or run `wandb login`, or log with --run.wandb offline "
            "and upload later with `wandb sync`"
        )
    if isinstance(error, TypeError | ValueError) and _is_refusal_of_lightning(error):
        return f"the Trainer refuses a setting: {error}"
    return None


def _is_refusal_of_lightning(error: Exception) -> bool:
    """Return whether Lightning's own code raised the error, as it does for values of settings."""
    *_, last = traceback.walk_tb(error.__traceback__)
    return str(last[0].f_globals.get("__name__")).startswith("lightning.")


def _of_ranks(message: str) -> str:
    if "EADDRINUSE" in message or "address already in use" in message:
        return (
            "the port on which the ranks meet is in use: choose another with MASTER_PORT, or "
            "torchrun's --master-port"
        )
    return f"the ranks cannot reach one another: {message.splitlines()[0]}"


def _of_a_fork(error: ProcessRaisedException) -> str | None:
    """Return the message of a forked rank's mistake; other errors keep their traceback."""
    name, _, reason = str(error).strip().splitlines()[-1].partition(": ")
    if name == "errors.InputError":
        return reason
    return _of_ranks(reason) if name.startswith("torch.distributed.") else None
