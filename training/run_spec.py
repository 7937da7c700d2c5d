from dataclasses import dataclass, field
from typing import Literal


@dataclass
class RunSpec:
    """Where a run leaves what it makes, and what a report calls it.

    Attributes:
        dir: The run's folder.
        method: Rung of the ladder, e.g. "two-in-one".
        test: Test the best checkpoint when fitting has ended, and write results.json.
        aggregation: How the scores of frames make a video's: mean, median, max, logit-mean or
            top-<k>, the mean of the k highest.
        resume: auto goes on from the run's last checkpoint, where it has one; a path goes on from
            that one.
        save_every: Steps after which a checkpoint is saved within an epoch; every epoch ends with
            one.
        explosion: A loss so many times the mean of those before stops the run.
        tensorboard: Log to TensorBoard too, into the run's folder.
        wandb: Log to Weights & Biases too; offline runs are sent later by `wandb sync`.
        wandb_checkpoint: Keep the best checkpoint there as an artifact.
        project: Of W&B.
        group: Of W&B, e.g. the sweep's name.
        tags: Of W&B.
    """

    dir: str = "runs/fit"
    method: str = "run"
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
