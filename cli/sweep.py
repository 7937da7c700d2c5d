import json
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentError
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from errors import InputError
from experiments.sweep_file import Point, SweepFile, read_sweep_file
from records.folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

# When a point's run began that has not ended; it holds the seconds of those before.
BEGAN = "began"


def sweep(
    file: Path,
    out: Path = Path("runs/sweeps"),
    count: int | None = None,
    jobs: int | None = None,
    options: list[str] = [],  # noqa: B006 -- read only; None would hide the default from --help
) -> None:
    """Run a W&B sweep file here, with no account and no network, and compare its designs.

    Every point is a run of its own with an offline W&B run, in OUT/SWEEP/POINT. Points that are
    done are reused; one that was interrupted goes on from its last checkpoint. Early termination
    is W&B's: here every point runs to its end.

    Args:
        file: Of configs/sweeps, or one like these.
        out: Folder for the sweeps' folders.
        count: Points to run at most; a random sweep needs it.
        jobs: Points at a time, which share the GPUs or the cores. Default: one a GPU, or one.
        options: Words for every run, written without their dashes, e.g. data.crops=data/crops.
    """
    from rich.console import Console

    from evaluation.comparison.designs import compare_designs, write_comparison

    console = Console(highlight=False, soft_wrap=True)
    swept = read_sweep_file(file)
    points = swept.points(count)
    folder = out / file.stem
    places = _places(jobs)
    words = [f"--{option}" for option in options]
    _check(swept, points, words)
    runs = [_Run(folder / point.id, point, swept, words) for point in points]
    console.print(f"{file}: {len(points)} points, {len(places)} at a time, in {folder}")
    failed = _run_all(runs, places, console)
    records = [json.loads(run.record.read_text()) for run in runs if run.record.is_file()]
    if records:
        comparison = compare_designs(records, swept.metric, maximize=swept.maximize)
        paths = write_comparison(folder, comparison)
        console.print(comparison.table())
        for path in paths:
            console.print(str(path))
    for run in failed:
        console.print(f"failed: {' '.join(run.point.words())}: see {run.folder / 'log.txt'}")
    if failed:
        sys.exit(1)


def _check(swept: SweepFile, points: Sequence[Point], options: Sequence[str]) -> None:
    """Parse the command of points that have every value once, before hours are spent on others.

    Raises:
        InputError: A parameter or a class does not exist, or has not such a value.
    """
    from cli.parser_errors import describe
    from training.trainer_cli import run_trainer_command

    seen: set[tuple[str, str]] = set()
    for point in points:
        values = {(name, json.dumps(value)) for name, value in point.parameters.items()}
        if values <= seen:
            continue
        seen |= values
        words = [*swept.command[1:], *options, *point.words(), "--print_config"]
        try:
            with redirect_stdout(StringIO()):
                run_trainer_command(words)
        except SystemExit:  # what printing the configuration ends with
            continue
        except (ArgumentError, InputError) as error:
            msg = f"{swept.path}: {describe(str(error))}"
            raise InputError(msg) from error


@dataclass(frozen=True)
class _Run:
    """A point's run."""

    folder: Path
    point: Point
    swept: SweepFile
    options: Sequence[str]

    @property
    def record(self) -> Path:
        """What is left of a point that is done."""
        return self.folder / "point.json"

    def run(self, place: dict[str, str], running: set["subprocess.Popen[bytes]"]) -> bool:
        """Train it with this environment, and say whether that went well.

        Args:
            place: The environment's variables.
            running: Holds the run's process while it is there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self._seconds_before()
        (self.folder / BEGAN).write_text(f"{before}\n")
        began = time.monotonic()
        words = [*self.swept.command[1:], *self.options, *self.point.words()]
        words += [
            f"--run.dir={self.folder}",
            "--run.resume=true",
            "--run.wandb=offline",
            f"--run.group={self.swept.path.stem}",
            "--trainer.enable_progress_bar=false",
        ]
        command = [sys.executable, "-m", "cli", *words]
        with (self.folder / "log.txt").open("a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | place)
        running.add(process)
        failed = process.wait()
        running.remove(process)
        if failed:
            return False
        self._write_record(before + time.monotonic() - began)
        (self.folder / BEGAN).unlink()
        return True

    def _seconds_before(self) -> float:
        """Seconds that it ran before it was interrupted, up to the checkpoint it goes on from."""
        began, last = self.folder / BEGAN, RunFolder(self.folder).last
        if not began.is_file():
            return 0.0
        saved = last.stat().st_mtime - began.stat().st_mtime if last.is_file() else 0.0
        return float(began.read_text()) + max(0.0, saved)

    def _write_record(self, seconds: float) -> None:
        import pandas as pd

        curves = pd.read_csv(self.folder / "metrics.csv")
        if self.swept.metric not in curves:
            msg = (
                f"{self.swept.path}: metric {self.swept.metric!r} is not logged by {self.folder}: "
                f"there are {', '.join(name for name in map(str, curves) if '/' in name)}"
            )
            raise InputError(msg)
        values = curves[self.swept.metric].dropna()
        cosines = curves["grad/cosine"].dropna() if "grad/cosine" in curves else None
        provenance = json.loads((self.folder / "provenance.json").read_text())
        record: dict[str, Any] = {
            "id": self.point.id,
            "parameters": self.point.parameters,
            "design": self.swept.design(self.point),
            "metric": float(values.max() if self.swept.maximize else values.min()),
            "trained_parameters": provenance["trained_parameters"],
            "seconds": seconds,
            "cosine": None if cosines is None else float(cosines.median()),
            "conflict": None if cosines is None else float((cosines < 0).mean()),
        }
        partial = self.record.with_name(".point.json.partial")
        partial.write_text(json.dumps(record, indent=2) + "\n")
        partial.replace(self.record)


def _places(jobs: int | None) -> list[dict[str, str]]:
    """The environment of each job: a GPU, or where there is none its share of the cores."""
    import torch

    if gpus := torch.cuda.device_count():
        return [{"CUDA_VISIBLE_DEVICES": str(i % gpus)} for i in range(jobs or gpus)]
    threads = max(1, torch.get_num_threads() // (jobs or 1))
    return [{"OMP_NUM_THREADS": str(threads)}] * (jobs or 1)


def _run_all(
    runs: Sequence[_Run], places: Sequence[dict[str, str]], console: "Console"
) -> list[_Run]:
    """Run what is not done, as many at a time as there are places; give what failed."""
    from rich.progress import Progress

    waiting = [run for run in runs if not run.record.is_file()]
    if reused := len(runs) - len(waiting):
        console.print(f"reused: {reused} points that are done")
    free: SimpleQueue[dict[str, str]] = SimpleQueue()
    for place in places:
        free.put(place)
    failed: list[_Run] = []
    running: set[subprocess.Popen[bytes]] = set()
    with Progress(console=console) as progress, ThreadPoolExecutor(len(places)) as pool:
        task = progress.add_task("points", total=len(waiting))

        def work(run: _Run) -> None:
            place = free.get()
            try:
                if not run.run(place, running):
                    failed.append(run)
            finally:
                free.put(place)
                progress.advance(task)

        futures = [pool.submit(work, run) for run in waiting]
        before = signal.signal(signal.SIGTERM, _stop)
        try:
            for future in futures:
                future.result()
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            # A terminal's interrupt reaches the runs too; else they are told, save and end.
            if not isinstance(error, KeyboardInterrupt):
                for process in list(running):
                    process.terminate()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
    return failed


def _stop(signum: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + signum)
