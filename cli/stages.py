"""The stages of a reproduction, each a command of ours in a process of its own."""

import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

CONFIGS = Path(str(files("configs")))


@dataclass(frozen=True)
class Sources:
    """The roots that a reproduction runs on."""

    ffpp: Path
    celeb_df: Path | None
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

    def run(self, method: str, seed: int, teacher: Path | None) -> Path:
        """Train and test one rung with one seed, and return its folder."""
        run = self.folder / f"{method}-seed{seed}"
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


def run_stage(*words: str) -> None:
    """Run a command of ours as a process of its own, as torch's launchers for several devices need.

    Its memory is given back when it ends, and its errors are its own lines.
    """
    done = subprocess.run([sys.executable, "-m", "cli", *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)
