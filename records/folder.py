"""The files that a run leaves in its folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """A run's folder; the names of its files are spelled here only."""

    path: Path

    @classmethod
    def of_checkpoint(cls, checkpoint: Path) -> "RunFolder":
        """Return the folder of the run that a checkpoint was saved by."""
        return cls(checkpoint.parent.parent)

    @property
    def config(self) -> Path:
        """The complete configuration, from which the run can be repeated."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """The training curves, as Lightning's CSVLogger writes them."""
        return self.path / "metrics.csv"

    @property
    def results(self) -> Path:
        """The test results, of a run or of a reproduction; see `records.results`."""
        return self.path / "results.json"

    @property
    def provenance(self) -> Path:
        """Commit, versions, seed, command, data and machine of the training."""
        return self.path / "provenance.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation metric."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.checkpoints / "last.ckpt"

    @property
    def before_last(self) -> Path:
        """The checkpoint before the newest one, in case that one is cut short."""
        return self.checkpoints / "before-last.ckpt"

    def scores(self, branch: str | None = None, split: str = "test") -> Path:
        """Return the path of the frame scores of the run, or of a teacher's branch, on a split."""
        name = f"scores-{branch}" if branch else "scores"
        return self.path / (f"{name}.csv" if split == "test" else f"{name}-{split}.csv")
