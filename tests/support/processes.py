"""Runs of the command line in separate processes, to be killed or to have ranks.

They are forked from a server that has imported everything once, so each starts at once.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["training.trainer_cli", "cli.extract"])
TWO_IN_ONE = str(Path(sys.executable).with_name("two-in-one"))
"""The console script of this environment."""


def start(argv: list[str], log: Path, errors: Path | None = None) -> BaseProcess:
    """Start `two-in-one` with these arguments, as the leader of a process group of its own.

    Its output is appended to `log`, and its errors to `errors` or to `log`.
    """
    process = FORKED.Process(target=_run, args=(argv, str(log), str(errors or log)))
    process.start()
    return process


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


def _run(argv: list[str], log: str, errors: str) -> None:
    from cli.main import main

    os.setsid()
    # Under nohup the parent ignores SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["two-in-one", *argv]
    for path, stream in ((log, sys.stdout), (errors, sys.stderr)):
        with Path(path).open("a") as file:
            os.dup2(file.fileno(), stream.fileno())
    main(argv)
