import os
import signal
import time
from pathlib import Path

import pytest

from datamodules.mini_ffpp.ffpp import MiniFFPP
from datamodules.mini_ffpp.miniature import (
    MARKER,
    UNFINISHED,
    MiniatureRecord,
    Settings,
    Video,
)
from datamodules.mini_ffpp.people import Population
from records.files import PARTIAL, read_record
from tests.datamodules.mini_ffpp.conftest import Bytes
from tests.support.processes import exit_status, start_afresh


def processes_of_session(session: int) -> list[int]:
    """The processes of a session, whose number is that of its first process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended in the meantime
        if int(fields[3]) == session:
            found.append(int(folder.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_generation_resumes_to_the_same_bytes(
    number: signal.Signals,
    small_ffpp: Path,
    small_population: Population,
    small_options: list[str],
    bytes_of: Bytes,
    tmp_path: Path,
) -> None:
    out, log = tmp_path / "mini", tmp_path / "log.txt"
    argv = ["mini-ffpp", f"--out={out}", *small_options, "--celebrities=10", "--workers=2"]
    process = start_afresh(argv, log)
    while len(list(out.rglob("*.mp4"))) < 7:
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    os.kill(process.pid, number)
    assert exit_status(process) == (130 if number == signal.SIGINT else -number)
    while processes_of_session(process.pid):  # the workers exit, too
        time.sleep(0.1)
    assert not (out / MARKER).exists()
    if number == signal.SIGINT:
        assert not list(out.rglob(f"*{PARTIAL}"))
    MiniFFPP(out, small_population, (2, 2, 2)).generate(workers=2)
    assert bytes_of(out) == bytes_of(small_ffpp)


class Interrupted(MiniFFPP):
    """A miniature that is interrupted before its first video."""

    def write(self, workers: int, videos: list[Video]) -> MiniatureRecord:
        """Write nothing."""
        raise KeyboardInterrupt


def test_a_second_interruption_does_not_forget_what_the_first_had_begun(
    small_population: Population, tmp_path: Path
) -> None:
    for video in ("c23", "c40"):
        with pytest.raises(KeyboardInterrupt):
            Interrupted(tmp_path, small_population, (2, 2, 2), videos=(video,)).generate(workers=1)
    assert read_record(tmp_path / UNFINISHED, Settings, "", "").videos == ["c23", "c40"]
