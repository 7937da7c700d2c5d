import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")

console = Console(stderr=True, soft_wrap=True)


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    workers: int,
    title: str,
    *,
    portable: bool = False,
) -> list[Result]:
    """Apply a function to tasks in several processes, with a progress bar.

    On Ctrl-C or an exception, the running tasks finish and the others are cancelled. Workers exit
    when this process is killed.

    Args:
        function: Function of a module, so that another process can import it.
        tasks: Arguments, one per call.
        workers: Number of processes. 1 runs the tasks in this process, unless `portable`.
        title: Title of the progress bar.
        portable: Compute the same bytes on every x86 processor with AVX2. NumPy's AVX-512
            functions and OpenCV's IPP round differently from the code for AVX2, so both are
            switched off. NumPy reads its setting when it is imported: even one worker is a
            process of its own.

    Returns:
        The results in the order of the tasks.
    """
    tasks = list(tasks)
    workers = min(workers, len(tasks))
    with Progress(console=console) as progress:
        bar = progress.add_task(title, total=len(tasks))
        if workers <= 1 and not (portable and tasks):
            results = []
            for task in tasks:
                results.append(function(task))
                progress.advance(bar)
            return results
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(workers, context, _start_worker, (portable,))
        try:
            # Submitting starts the workers.
            with _environment(_portable_environment() if portable else {}):
                futures = [executor.submit(function, task) for task in tasks]
            for future in as_completed(futures):
                future.result()
                progress.advance(bar)
            return [future.result() for future in futures]
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _portable_environment() -> dict[str, str | None]:
    """Return the variables that switch off NumPy's AVX-512 functions; None removes a variable."""
    extensions: Any = np.show_config(mode="dicts")
    extensions = extensions["SIMD Extensions"]
    # NumPy warns of names that it was not built with. "Not found" has those that the processor
    # lacks and those that the user has disabled.
    known = extensions.get("found", []) + extensions.get("not found", [])
    disabled = [name for name in known if name.startswith(("AVX512", "X86_V4"))]
    # NumPy rejects both variables together.
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(disabled), "NPY_ENABLE_CPU_FEATURES": None}


@contextmanager
def _environment(variables: dict[str, str | None]) -> Iterator[None]:
    """Set environment variables for the processes that start inside the block."""
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)


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
