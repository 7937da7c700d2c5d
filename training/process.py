import ctypes
import logging
import sys
import warnings

# Of mallopt(3).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
# Warnings about intended settings, each with the reason.
SILENCED = (
    ".*isinstance.treespec, LeafSpec.*",  # lightning 2.6 uses a class that torch 2.14 has renamed
    ".*in eval mode at the start of training.*",  # the frozen teacher
    ".*does not have many workers.*",  # data.num_workers was chosen by measurement
    ".*your dataloader is not resumable.*",  # the data module resumes within an epoch by itself
    ".*Checkpoint directory .* exists and is not empty.*",  # of a resumed run
    ".*Experiment logs directory .* exists.*",
    ".*could not find the monitored key.*",  # a run may end before its first validation
    ".*The number of training batches.*",  # an epoch may be shorter than the logging interval
    "LightningCLI's args parameter is intended.*",  # tests pass the command line as an argument
    ".*Guards may run slower.*",  # torch's notice about Python 3.13
)


def prepare_process() -> None:
    """Keep freed memory, and silence Lightning about intended settings."""
    keep_freed_memory()
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # The launcher names the rank that has died before it ends the others.
    logging.getLogger("lightning.fabric.strategies.launchers").setLevel(logging.INFO)
    for message in SILENCED:
        warnings.filterwarnings("ignore", message=message)


def keep_freed_memory() -> None:
    """Keep the memory that a step frees, which glibc would return to the system.

    On a CPU a good part of a step is spent on getting it back page by page (`make bench-train`).
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(MMAP_THRESHOLD, 2**30)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)
