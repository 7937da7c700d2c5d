"""Settings of a training process: memory, log levels and warnings."""

import ctypes
import logging
import sys
import warnings

# Of mallopt(3).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
SILENCED = (
    # lightning 2.6 uses a class that torch 2.14 has renamed.
    ".*isinstance.treespec, LeafSpec.*",
    # The frozen teacher is in evaluation mode.
    ".*in eval mode at the start of training.*",
    # data.num_workers was chosen by measurement.
    ".*does not have many workers.*",
    # The data module resumes within an epoch by itself.
    ".*your dataloader is not resumable.*",
    # A resumed run writes into its folder again.
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*Experiment logs directory .* exists.*",
    # A run may end before its first validation; testing its best checkpoint is then refused.
    ".*could not find the monitored key.*",
    # An epoch of the miniature has fewer steps than the logging interval.
    ".*The number of training batches.*",
    # The command line is passed as an argument by tests.
    "LightningCLI's args parameter is intended.*",
    # torch's notice about Python 3.13.
    ".*Guards may run slower.*",
)


def prepare_process() -> None:
    """Keep freed memory, and silence what Lightning reports of settings that are meant."""
    keep_freed_memory()
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # The launcher names the rank that has died before it ends the others.
    logging.getLogger("lightning.fabric.strategies.launchers").setLevel(logging.INFO)
    for message in SILENCED:
        warnings.filterwarnings("ignore", message=message)


def keep_freed_memory() -> None:
    """Keep the memory that a step frees for the next step.

    glibc returns large blocks to the system as soon as they are freed. On a CPU a good part of a
    step is then spent on getting the same memory back page by page (`make bench-train` measures
    it). Without glibc this has no effect.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(MMAP_THRESHOLD, 2**30)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)
