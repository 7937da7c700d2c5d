"""Runs of the command line in separate processes, to be killed or to have ranks.

They are forked from a server that has imported everything once, so each starts at once.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import chdir
from functools import partial
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path

from experiments.runner import PlannedRun

ROOT = Path(__file__).parents[2]
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["training.trainer_cli", "cli.extract"])
TWO_IN_ONE = str(Path(sys.executable).with_name("two-in-one"))
"""The console script of this environment."""


def start(argv: list[str], log: Path, errors: Path | None = None) -> BaseProcess:
    """Start `two-in-one` with these arguments, as the leader of a process group of its own.

    Its output is appended to `log`, and its errors to `errors` or to `log`.
    """
    return _fork(argv, log, errors or log, {})


class ForkedStage:
    """The process of a stage, forked from the server, where the runner expects a Popen.

    A stage without a log shows its output when it has ended.
    """

    def __init__(self, run: PlannedRun, environment: Mapping[str, str]) -> None:
        self._prints = run.log is None
        if run.log is None:
            with tempfile.NamedTemporaryFile(delete=False) as file:
                self._log = Path(file.name)
        else:
            self._log = run.log
            self._log.parent.mkdir(parents=True, exist_ok=True)
        self._process = _fork(run.argv, self._log, self._log, environment)

    def poll(self) -> int | None:
        """Return the exit status, None while the process runs."""
        if self._process.exitcode is not None and self._prints:
            print(self._log.read_text())
            self._log.unlink()
            self._prints = False
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        """The exit status."""
        return self._process.exitcode

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def wait(self) -> None:
        """Wait for the end of the process."""
        self._process.join()


def fork_stage(run: PlannedRun, environment: Mapping[str, str]) -> ForkedStage:
    """Start a stage as `PlannedRun.start` does, but from the server."""
    return ForkedStage(run, environment)


def start_afresh(argv: list[str], log: Path) -> subprocess.Popen[str]:
    """Start it without the server, as Lightning's launcher of further processes requires."""
    with log.open("a") as file:
        return subprocess.Popen(
            [TWO_IN_ONE, *argv],
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
        )


def exit_status(process: BaseProcess | subprocess.Popen[str]) -> int | None:
    """Wait for the end of a process and return its exit status."""
    if isinstance(process, subprocess.Popen):
        return process.wait(timeout=250)
    process.join(timeout=250)
    return process.exitcode


def complete(argv: list[str], log: Path) -> str:
    """Run `two-in-one` to its end and return its output."""
    process = start(argv, log)
    process.join()
    assert process.exitcode == 0, log.read_text()
    return log.read_text()


def _fork(
    argv: Sequence[str], log: Path, errors: Path, environment: Mapping[str, str]
) -> BaseProcess:
    with chdir(ROOT):  # the working folder may have modules of the same names
        ensure_running()
    process = FORKED.Process(target=_run, args=(argv, str(log), str(errors), dict(environment)))
    process.start()
    return process


def _run(argv: Sequence[str], log: str, errors: str, environment: Mapping[str, str]) -> None:
    import torch

    from cli.main import main

    os.setsid()
    os.environ |= environment
    if threads := environment.get("OMP_NUM_THREADS"):  # which torch reads when it is imported
        torch.set_num_threads(int(threads))
    # Under nohup the parent ignores SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["two-in-one", *argv]
    for path, stream in ((log, sys.stdout), (errors, sys.stderr)):
        with Path(path).open("a") as file:
            os.dup2(file.fileno(), stream.fileno())
    main(argv)
