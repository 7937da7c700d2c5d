import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cli.extract import Extraction, extract_crops

Contents = Callable[[Path], dict[str, bytes]]

OPTIONS = ["--frames_per_video", "3", "--size", "64", "--num_workers", "0", "--accelerator", "cpu"]


def command(root: Path, out: Path, *options: str) -> list[str]:
    start = [sys.executable, "-m", "cli", "extract"]
    return [*start, "--root", str(root), "--out", str(out), *OPTIONS, *options]


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=200)


def test_a_killed_extraction_goes_on_to_the_same_store(
    tiny_ffpp: Path, tiny_store: Extraction, store_contents: Contents, tmp_path: Path
) -> None:
    out = tmp_path / "store"
    process = subprocess.Popen(
        command(tiny_ffpp, out), stdout=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None and len(list(out.glob("ledger/*/*/*/*.json"))) < 5:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = len(list(out.glob("ledger/*/*/*/*.json")))
    assert 5 <= done < 30
    assert not (out / "manifest.parquet").exists()
    result = extract_crops(
        tiny_ffpp,
        out,
        compression="c23",
        frames_per_video=3,
        size=64,
        num_workers=0,
        accelerator="cpu",
    )
    assert result.extracted == 30 - done
    assert store_contents(out) == store_contents(tiny_store.out)


def test_two_ranks_write_the_store_of_one(
    tiny_ffpp: Path, tiny_store: Extraction, store_contents: Contents, tmp_path: Path
) -> None:
    out = tmp_path / "store"
    ranks = ["--devices", "2", "--strategy", "ddp_fork"]
    finished = run(command(tiny_ffpp, out, *ranks))
    assert (finished.returncode, finished.stderr) == (0, "")
    assert store_contents(out) == store_contents(tiny_store.out)
    assert "30 videos, 90 crops of 90 frames" in finished.stdout
    # One video left for two ranks: one of them has nothing to do.
    video = next((out / "ledger").glob("*/*/*/*.json"))
    video.unlink()
    finished = run(command(tiny_ffpp, out, *ranks))
    assert (finished.returncode, finished.stderr) == (0, "")
    assert store_contents(out) == store_contents(tiny_store.out)


def test_the_command_tells_a_mistake_in_one_line(tmp_path: Path) -> None:
    finished = run(command(tmp_path / "nowhere", tmp_path / "out"))
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: ")
    assert finished.stderr.count("\n") == 1
    assert "no such folder" in finished.stderr
