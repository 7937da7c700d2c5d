from pathlib import Path


class RunFolder:
    """The files that a run leaves in its folder; their names are spelled here only.

    Attributes:
        path: The folder.
        config: The complete configuration, from which the run can be repeated.
        metrics: The training curves, as Lightning's CSVLogger writes them.
        results: The test results, of a run or of a reproduction; see `records.results`.
        provenance: Commit, versions, seed, command, data and machine of the training.
        checkpoints: The folder of the checkpoints.
        best: The checkpoint with the best validation metric.
        last: The newest checkpoint.
        before_last: The checkpoint before the newest one, in case that one is cut short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.csv"
        self.results = path / "results.json"
        self.provenance = path / "provenance.json"
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"
        self.last = self.checkpoints / "last.ckpt"
        self.before_last = self.checkpoints / "before-last.ckpt"

    @classmethod
    def of_checkpoint(cls, checkpoint: Path) -> "RunFolder":
        """Return the folder of the run that a checkpoint was saved by."""
        return cls(checkpoint.parent.parent)

    def scores(self, branch: str | None = None, split: str = "test") -> Path:
        """Return the path of the frame scores of the run, or of a teacher's branch, on a split."""
        name = f"scores-{branch}" if branch else "scores"
        return self.path / (f"{name}.csv" if split == "test" else f"{name}-{split}.csv")
