"""A disk that is full after some bytes."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def full_after(size: int, on_signal: Callable[..., Any] | int = signal.SIG_IGN) -> Iterator[None]:
    """Let no file grow beyond `size` bytes; `on_signal` handles the kernel's signal."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, on_signal)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
