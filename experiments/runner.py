"""The stages of a reproduction, each a command of ours in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

CONFIGS = Path(str(files("configs")))


@dataclass(frozen=True)
class Sources:
    """The roots that a reproduction runs on."""

    ffpp: Path
    celeb_df: Sequence[Path]
    crops: Path


@dataclass(frozen=True)
class LadderRunner:
    """Trains and tests the runs of one reproduction, each unless it is there already."""

    folder: Path
    sources: Sources
    compression: str
    recipe: Any
    devices: int
    console: "Console"

    def place(self, method: str, seed: int) -> Path:
        """Folder of one rung with one seed."""
        return self.folder / f"{method}-seed{seed}"

    def run(self, method: str, seed: int, teacher: Path | None) -> Path:
        """Train and test one rung with one seed, and return its folder."""
        run = self.place(method, seed)
        self.console.rule(f"{method}, seed {seed}")
        if (run / "results.json").is_file():
            self.console.print(f"reused: {run}")
            return run
        configs = [*self.recipe.configs]
        configs += (
            [self.recipe.teacher]
            if teacher is None
            else [self.recipe.student, f"methods/{method}.yaml"]
        )
        words = [f"-c={CONFIGS / name}" for name in configs]
        words += [
            f"--data.crops={self.sources.crops}",
            f"--data.compression={self.compression}",
            f"--trainer.devices={self.devices}",
            f"--seed_everything={seed}",
            f"--run.dir={run}",
            "--run.test=true",
            "--run.resume=true",
        ]
        if self.devices > 1:
            words.append("--trainer.strategy=ddp")
        if teacher is not None and _needs_teacher(method):
            words.append(f"--model.init_args.teacher={teacher}")
        run_stage("fit", *words)
        return run


def _needs_teacher(method: str) -> bool:
    """Whether a rung distils; the others say `teacher: null`."""
    from omegaconf import OmegaConf

    rung: Any = OmegaConf.load(CONFIGS / "methods" / f"{method}.yaml")
    return "teacher" not in rung.model.init_args


def measure(runs: Sequence[Path], folder: Path, measures: Any) -> None:
    """Measure the runs' cost and robustness into a reproduction's folder, unless they are there.

    Args:
        runs: Finished runs.
        folder: Of the reproduction.
        measures: Of the recipe: rounds, corruptions, num_workers.
    """
    from cli.profile import profile
    from cli.robustness import robustness
    from records.measurements import PROFILE, Measured, read_measured

    try:
        measured = read_measured(folder)
    except InputError:  # cut short, or of another version
        measured = Measured(None, None)
    if all(measured.cost_of(run.name) for run in runs):
        print(f"reused: {folder / PROFILE}")
    else:
        profile(list(runs), out=folder, rounds=measures.rounds)
    known = (measured.robustness or {}).get("corruptions", {})
    names = dict.fromkeys([*measures.corruptions, *known])
    robustness(list(runs), out=folder, corruptions=list(names), num_workers=measures.num_workers)


def run_stage(*words: str) -> None:
    """Run a command of ours as a process of its own, as torch's launchers for several devices need.

    Its memory is given back when it ends, and its errors are its own lines.
    """
    done = subprocess.run([sys.executable, "-m", "cli", *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)
