"""A list of runs, each a command of this project in a process of its own, several at a time."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from errors import InputError

POLL_SECONDS = 0.1
MOST_JOBS = 4
GPU = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A command of `two-in-one`, with what it needs to be resumed.

    Attributes:
        name: What the terminal shows.
        argv: Arguments of `two-in-one`, the subcommand first.
        finished: File whose existence marks the run as finished; None runs the command always.
        log: File that the output is appended to. Default: the output of this process.
    """

    name: str
    argv: Sequence[str]
    finished: Path | None = None
    log: Path | None = None

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to run."""
        return self.finished is not None and self.finished.is_file()

    def before(self) -> None:
        """Prepare the start of the process."""

    def after(self) -> None:
        """Complete a run whose process has succeeded."""

    def start(self, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start the process with additional environment variables."""
        command, variables = [_console_script(), *self.argv], os.environ | environment
        if self.log is None:
            return subprocess.Popen(command, env=variables)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=variables)


def slots(jobs: int | None) -> list[dict[str, str]]:
    """Return the environments of `jobs` runs: a GPU each, or a share of the cores.

    The default is one run per GPU, or one per core, `MOST_JOBS` at most: a network that is small
    enough for a CPU gains little from several cores.
    """
    if jobs == 1:
        return [{}]
    import torch  # takes a second to import, which a run at a time does not need

    count = torch.cuda.device_count()
    visible = os.environ.get(GPU, ",".join(map(str, range(count)))).split(",")
    cores = 1 if torch.accelerator.is_available() else torch.get_num_threads()
    jobs = jobs or count or min(cores, MOST_JOBS)
    if count:
        return [{GPU: visible[i % count]} for i in range(jobs)]
    return [{"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // jobs))}] * jobs


def run_all(
    runs: Sequence[PlannedRun], environments: Sequence[Mapping[str, str]], console: Console
) -> list[PlannedRun]:
    """Run what is not finished, as many at a time as there are environments; see `slots`.

    A run that fails does not stop the others. SIGTERM and SIGINT stop all of them: training saves
    a checkpoint when it receives SIGTERM, and the same command resumes from it.

    Returns:
        The runs that failed.
    """
    waiting = deque(run for run in runs if not run.is_finished)
    if finished := len(runs) - len(waiting):
        console.print(f"reused: {finished} finished run{'s' if finished > 1 else ''}")
    free = list(environments)
    running: dict[subprocess.Popen[bytes], tuple[PlannedRun, Mapping[str, str]]] = {}
    failed = []
    shown = any(run.log is None for run in waiting)  # the output of the runs themselves
    with _caught_signals() as signals, Progress(console=console, disable=shown) as progress:
        task = progress.add_task("runs", total=len(waiting))
        try:
            while waiting or running:
                while waiting and free:
                    run = waiting.popleft()
                    if run.log is None:
                        console.rule(run.name)
                    run.before()
                    environment = free.pop(0)
                    running[run.start(environment)] = (run, environment)
                time.sleep(POLL_SECONDS)
                for process in [p for p in running if p.poll() is not None]:
                    run, environment = running.pop(process)
                    free.append(environment)
                    if process.returncode:
                        failed.append(run)
                    else:
                        run.after()
                    progress.advance(task)
                if signal.SIGINT in signals:
                    raise KeyboardInterrupt
                if signals:
                    sys.exit(128 + signals[0])
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()
    return failed


def exit_if_failed(failed: Sequence[PlannedRun], console: Console) -> None:
    """List the runs that failed and exit with status 1; return if none did."""
    for run in failed:
        console.print(f"failed: {run.name}{f': see {run.log}' if run.log else ''}")
    if failed:
        sys.exit(1)


def _console_script() -> str:
    """Return the path of `two-in-one`; `python -m cli` would import a user's training.py."""
    folders = (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
    script = shutil.which("two-in-one", path=os.pathsep.join(folders))
    if script is None:
        msg = (
            f"two-in-one: no such command beside {sys.executable}, which runs the stages: install "
            "the project with `make install` or `pip install -e .`"
        )
        raise InputError(msg)
    return script


@contextmanager
def _caught_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT instead of raising at once, and restore the handlers at the end.

    A signal that the parent ignores, as nohup and background jobs do, stays ignored.
    """
    received: list[int] = []
    numbers = [s for s in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(s) != signal.SIG_IGN]
    handlers = {s: signal.signal(s, lambda number, _: received.append(number)) for s in numbers}
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
