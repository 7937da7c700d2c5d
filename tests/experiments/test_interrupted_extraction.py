import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torch.multiprocessing.spawn import ProcessExitedException

from datamodules.crops.manifest import MANIFEST
from errors import InputError
from experiments.extraction import ExtractionResult
from tests.support.extracting import extract_crops
from tests.support.processes import exit_status, start

Contents = Callable[[Path], dict[str, bytes]]

OPTIONS = ["--frames_per_video", "3", "--size", "64", "--num_workers", "0", "--accelerator", "cpu"]
TWO_RANKS = ["--devices", "2", "--strategy", "ddp_fork"]


def arguments(root: Path, out: Path, *options: str) -> list[str]:
    return ["extract", "--root", str(root), "--out", str(out), *OPTIONS, *options]


class Extraction:
    """An extraction in a process group of its own."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        self.log, self.errors = folder / "log.txt", folder / "errors.txt"
        for path in (self.log, self.errors):
            path.write_text("")
        self.process = start(argv, self.log, self.errors)

    def wait_for(self, out: Path, videos: int) -> None:
        """Wait until some videos are finished."""
        while self.process.is_alive() and len(ledger(out)) < videos:
            time.sleep(0.005)

    def ended(self) -> tuple[int | None, str]:
        """Return its exit status and what it wrote to stderr."""
        return exit_status(self.process), self.errors.read_text()


def ledger(out: Path) -> list[Path]:
    return list(out.glob("ledger/*/*/*/*.json"))


def test_a_stopped_extraction_resumes_to_the_same_store(
    small_ffpp: Path, small_store: ExtractionResult, store_contents: Contents, tmp_path: Path
) -> None:
    """Stopped by each signal; while the first extraction runs, a second one is refused."""
    out = tmp_path / "store"
    argv = arguments(small_ffpp, out)
    extraction: Extraction | None = Extraction(argv, tmp_path)
    extraction.wait_for(out, 2)
    os.killpg(extraction.process.pid, signal.SIGSTOP)
    with pytest.raises(InputError, match="another extraction or import is writing into it"):
        extract_crops(small_ffpp, out)
    for videos, number, status, message in (
        (2, signal.SIGKILL, -signal.SIGKILL, ""),
        (5, signal.SIGTERM, 143, ""),
        (8, signal.SIGINT, 130, "interrupted: run the same command again to resume\n"),
    ):
        if extraction is None:
            extraction = Extraction(argv, tmp_path)
            extraction.wait_for(out, videos)
        os.killpg(extraction.process.pid, number)
        assert extraction.ended() == (status, message)
        extraction = None
        assert videos <= len(ledger(out)) < 30
        assert not (out / MANIFEST).exists()
    done = len(ledger(out))
    result = extract_crops(small_ffpp, out)
    assert result.extracted == 30 - done
    assert store_contents(out) == store_contents(small_store.out)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 400 kB; the crops of 30 videos take 1.1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_an_extraction_resumes_after_a_full_disk(
    small_ffpp: Path,
    small_store: ExtractionResult,
    store_contents: Contents,
    small_disk: Path,
    tmp_path: Path,
) -> None:
    out = small_disk / "store"
    with pytest.raises(InputError, match=r"No space left on device.*run the same command again"):
        extract_crops(small_ffpp, out)
    done = len(ledger(out))
    assert 0 < done < 30
    # Two ranks fail likewise; the error of one ends both, in one line.
    status, errors = Extraction(arguments(small_ffpp, out, *TWO_RANKS), tmp_path).ended()
    assert status == 2
    assert errors.startswith(f"error: {out}")
    assert "No space left on device" in errors
    assert errors.count("\n") == 1
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    done = len(ledger(out))
    result = extract_crops(small_ffpp, out)
    assert result.extracted == 30 - done
    assert store_contents(out) == store_contents(small_store.out)


def test_a_rank_that_dies_names_the_way_to_resume(
    small_ffpp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        message = "process 1 terminated with signal SIGKILL"
        raise ProcessExitedException(message, error_index=1, error_pid=1, exit_code=-9)

    monkeypatch.setattr("experiments.extraction_run.Trainer.predict", die)
    with pytest.raises(InputError, match=r"rank 1 has died.*run the same command again$"):
        extract_crops(small_ffpp, tmp_path / "store")


def test_a_read_only_disk_is_refused(small_ffpp: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match=r"cannot be written .*choose another folder"):
        extract_crops(small_ffpp, small_disk / "store")


def test_two_ranks_write_the_store_of_one(
    small_ffpp: Path, small_store: ExtractionResult, store_contents: Contents, tmp_path: Path
) -> None:
    out = tmp_path / "store"
    argv = arguments(small_ffpp, out, *TWO_RANKS)
    extraction = Extraction(argv, tmp_path)
    assert extraction.ended() == (0, "")
    assert store_contents(out) == store_contents(small_store.out)
    assert "30 videos, 90 crops of 90 frames" in extraction.log.read_text()
    # With one video left for two ranks, one of them has none.
    video = next((out / "ledger").glob("*/*/*/*.json"))
    video.unlink()
    assert Extraction(argv, tmp_path).ended() == (0, "")
    assert store_contents(out) == store_contents(small_store.out)
