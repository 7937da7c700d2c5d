import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

OPTIONS = ["--train=2", "--val=2", "--test=2", "--frames=2", "--seed=3", "--celebrities=10"]


def start(out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cli", "mini-ffpp", f"--out={out}", *OPTIONS, *options]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def wait_for_videos(out: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(list(out.rglob("*.mp4"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def processes_naming(text: str) -> list[int]:
    """Processes of this machine whose command line or parent's names the text."""
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and _session_of(folder) == int(text)
    ]


def _session_of(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rsplit(")", 1)[1].split()[3])
    except (OSError, IndexError, ValueError):
        return -1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_generation_goes_on(how: signal.Signals, tiny: Path, tmp_path: Path) -> None:
    from datamodules.mini_ffpp.generate import generate_mini_ffpp

    out = tmp_path / "mini"
    process = start(out, "--workers=2")
    wait_for_videos(out, 7)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not (out / "MINIATURE.json").exists()
    deadline = time.monotonic() + 20
    while processes_naming(str(process.pid)):
        assert time.monotonic() < deadline, "a worker process outlived the command"
        time.sleep(0.1)
    if how == signal.SIGINT:
        assert not list(out.rglob("*.part"))
    generate_mini_ffpp(out, train=2, val=2, test=2, frames=2, seed=3, workers=2)
    again, once = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (out, tiny)
    )
    assert again == once
