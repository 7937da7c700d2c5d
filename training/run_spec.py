import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass
class RunSpec:
    """The folder of a run, its name in reports, and what it logs.

    Attributes:
        dir: The run's folder. Default: runs/<method>-seed<n>; under a W&B agent
            runs/sweeps/<sweep id>/<run id>.
        method: Name in reports, e.g. two-in-one. The rungs of the ladder set it.
        teacher_seed: Seed of the ladder's teacher that this run belongs to. `reproduce` sets it.
        test: Whether to test the best checkpoint after fitting and write results.json.
        aggregation: Aggregation of frame scores to a video score: mean, median, max, logit-mean,
            or top-<k>, the mean of the k highest.
        resume: auto resumes from the run's last checkpoint if it has one; a path resumes from
            that checkpoint.
        save_every: Steps between checkpoints within an epoch. A checkpoint is always saved at the
            end of an epoch.
        explosion: A loss this many times the mean of the previous losses stops the run.
        tensorboard: Whether to log to TensorBoard as well, in the run's folder.
        wandb: Whether to log to Weights & Biases as well; `wandb sync` uploads offline runs.
        wandb_checkpoint: Whether to upload the best checkpoint as a W&B artifact.
        project: W&B project.
        group: W&B group, e.g. the name of the sweep.
        tags: W&B tags.
    """

    dir: str | None = None
    method: str = "run"
    teacher_seed: int | None = None
    test: bool = False
    aggregation: str = "mean"
    resume: bool | str = False
    save_every: int | None = None
    explosion: float = 100.0
    tensorboard: bool = False
    wandb: Literal["off", "offline", "online"] = "off"
    wandb_checkpoint: bool = False
    project: str = "two-in-one"
    group: str | None = None
    tags: list[str] = field(default_factory=list)


def default_folder(method: str, seed: int) -> Path:
    """Return the folder of a run that names none; a W&B agent sets the ids of its own."""
    sweep, run = (os.environ.get(name) for name in ("WANDB_SWEEP_ID", "WANDB_RUN_ID"))
    if sweep and run:
        return Path("runs", "sweeps", sweep, run)
    return Path("runs", f"{method}-seed{seed}")
