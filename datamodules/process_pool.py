import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.connection import wait
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")

console = Console(stderr=True)


def work_through(
    do: Callable[[Task], Result], tasks: Iterable[Task], workers: int, title: str
) -> list[Result]:
    """Do tasks in several processes, under a progress bar.

    An interruption (Ctrl-C, an error in a task) lets the tasks at hand end, which takes a second
    or two, and drops the others. Workers end by themselves when this process is killed.

    Args:
        do: A function of a module, so that a fresh process finds it.
        tasks: What to do.
        workers: Number of processes; with 1 the work is done in this one.
        title: What the progress bar says.

    Returns:
        The results in the order of the tasks.
    """
    tasks = list(tasks)
    with Progress(console=console) as progress:
        bar = progress.add_task(title, total=len(tasks))
        if workers <= 1 or len(tasks) <= 1:
            results = []
            for task in tasks:
                results.append(do(task))
                progress.advance(bar)
            return results
        executor = ProcessPoolExecutor(
            min(workers, len(tasks)), multiprocessing.get_context("spawn"), initializer=_begin_work
        )
        try:
            futures = [executor.submit(do, task) for task in tasks]
            for future in as_completed(futures):
                future.result()
                progress.advance(bar)
            return [future.result() for future in futures]
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _begin_work() -> None:
    """Set a worker up: one core, deaf to Ctrl-C (the parent decides), and no life of its own."""
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent: int) -> None:
    wait([parent])
    os._exit(1)
