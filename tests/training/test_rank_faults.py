"""Ranks that cannot meet or that die: the others stop, and one line gives the reason."""

import os
import signal
import socket
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import wandb

from tests.support.processes import exit_status, start, start_afresh
from tests.training.test_resume import argv_of, wait_for_step

STUDENT = ["student/mini", "methods/student"]
TWO = "--trainer.devices=2"


def processes_of(run: Path) -> list[int]:
    """Return the processes whose command line names this run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"--run.dir={run}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has ended in the meantime
    return found


def children_of(process: Any) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children]


def test_a_port_in_use_is_one_line(tiny_crops: Path, tmp_path: Path, monkeypatch) -> None:
    log, run = tmp_path / "log.txt", tmp_path / "run"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("MASTER_PORT", str(taken.getsockname()[1]))
        process = start_afresh(
            argv_of(run, tiny_crops, STUDENT, TWO, "--trainer.strategy=ddp"), log
        )
        assert exit_status(process) == 2
        while processes_of(run):
            time.sleep(0.1)
    errors = [line for line in log.read_text().splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert "choose another with MASTER_PORT" in errors[0]


@pytest.mark.parametrize(
    ("strategy", "status", "expected"),
    [("ddp_fork", 2, "error: rank 1 has died"), ("ddp", -9, "[rank: 1] Child process")],
)
def test_a_rank_that_dies_is_named_and_stops_the_others(
    strategy: str, status: int, expected: str, tiny_crops: Path, tmp_path: Path
) -> None:
    run, log = tmp_path / "run", tmp_path / "log.txt"
    argv = argv_of(run, tiny_crops, STUDENT, TWO, f"--trainer.strategy={strategy}")
    argv.append("--trainer.max_epochs=10000")
    process = start(argv, log) if strategy == "ddp_fork" else start_afresh(argv, log)
    wait_for_step(run, 1)
    ranks = children_of(process)
    os.kill(ranks[-1], signal.SIGKILL)
    assert exit_status(process) == status
    assert expected in log.read_text()
    assert isinstance(process, BaseProcess) or processes_of(run) == []


def test_an_interrupted_run_names_the_way_to_continue(tiny_crops: Path, tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log.txt"
    argv = argv_of(run, tiny_crops, STUDENT, "--trainer.max_epochs=10000")
    process = start_afresh(argv, log)
    wait_for_step(run, 1)
    process.send_signal(signal.SIGINT)
    assert exit_status(process) == 130
    assert "interrupted: continue with --run.resume auto" in log.read_text()


def test_wandb_without_a_key_is_one_line(fit, tmp_path: Path, monkeypatch, capsys) -> None:
    wandb.teardown()  # it has cached the environment of an earlier run
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    for name, value in {"HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exit_:
        fit(tuple(STUDENT), "--run.wandb=online")
    assert exit_.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert "WANDB_API_KEY" in errors[0]
    assert "--run.wandb offline" in errors[0]
