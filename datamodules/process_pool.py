import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import wait
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")

console = Console(stderr=True, markup=False, soft_wrap=True)


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    workers: int,
    title: str,
    *,
    portable: bool = False,
) -> list[Result]:
    """Apply a module's function to tasks in several processes, with a progress bar titled `title`.

    On Ctrl-C or an exception, the running tasks finish and the others are cancelled. Workers exit
    when this process is killed. One worker is this process, unless `portable`.

    With `portable`, workers compute the same bytes on every x86 processor with AVX2. NumPy's
    AVX-512 functions and OpenCV's IPP round differently from the code for AVX2, so both are
    switched off. NumPy reads its setting when it is imported: even one worker is a process.

    Returns:
        The results in the order of the tasks.
    """
    tasks = list(tasks)
    workers = min(workers, len(tasks))
    with Progress(console=console) as progress:
        bar = progress.add_task(title, total=len(tasks))
        if workers <= 1 and not (portable and tasks):
            return [function(task) for task in progress.track(tasks, task_id=bar)]
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(workers, context, _start_worker, (portable,))
        try:
            # Submitting starts the workers.
            with _avx512_disabled() if portable else nullcontext():
                futures = [executor.submit(function, task) for task in tasks]
            for future in progress.track(as_completed(futures), len(tasks), task_id=bar):
                future.result()
            return [future.result() for future in futures]
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _avx512_disabled() -> Iterator[None]:
    """Switch off NumPy's AVX-512 functions in the processes that start inside the block."""
    extensions: Any = np.show_config(mode="dicts")
    extensions = extensions["SIMD Extensions"]
    # NumPy warns of names that it was not built with. "Not found" has those that the processor
    # lacks and those that the user has disabled.
    known = extensions.get("found", []) + extensions.get("not found", [])
    disabled = [name for name in known if name.startswith(("AVX512", "X86_V4"))]
    # NumPy rejects both variables together, but ignores an empty one.
    variables = {"NPY_DISABLE_CPU_FEATURES": " ".join(disabled), "NPY_ENABLE_CPU_FEATURES": ""}
    before = {name: os.environ.pop(name) for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)


def _start_worker(portable: bool) -> None:
    """Use one core, leave Ctrl-C to the parent, and exit with it."""
    import cv2

    cv2.setNumThreads(1)
    if portable:
        cv2.ipp.setUseIPP(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()


def _exit_with(parent: int) -> None:
    wait([parent])
    os._exit(1)
