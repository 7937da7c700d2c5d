import ctypes
import sys

# Of mallopt(3).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Keep the memory that a step frees for the next one.

    Tensors of a step are as large as those of the one before. glibc gives memory of their size back
    to the system as soon as it is freed, and on a CPU a good part of a step is then spent on
    getting it again page by page; `make bench-train` measures it. Without glibc nothing changes.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(MMAP_THRESHOLD, 2**30)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)
