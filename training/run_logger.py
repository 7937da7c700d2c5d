import csv
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only


class RunLogger(CSVLogger):
    """Writes metrics.csv into the run's folder, and goes on with it where a run goes on.

    Lightning's own logger begins a new file, so a resumed run would have lost its first epochs.

    Args:
        folder: The run's folder.
        resumed: Keep the rows of the steps before the first that is logged now.
    """

    def __init__(self, folder: Path, *, resumed: bool) -> None:
        # The file belongs into the run's folder itself, not into one version of many.
        super().__init__(folder, name="", version="")
        path = folder / "metrics.csv"
        self._path, self._text = path, ""
        self._before: list[dict[str, Any]] = []
        if resumed and path.is_file():
            self._text = path.read_text()
            self._before = list(csv.DictReader(self._text.splitlines()))

    @property
    def experiment(self) -> Any:
        """The writer, whose making removes the file: until something is logged it is put back."""
        begun = self._experiment is not None
        writer = super().experiment
        if not begun and self._text and self._experiment is not None:  # rank 0 alone has one
            self._path.write_text(self._text)
        return writer

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Write metrics, the first time behind the rows of the steps before them."""
        if self._before and step is not None:
            rows, self._before = self._before, []
            experiment = self.experiment
            self._path.unlink(missing_ok=True)
            experiment.metrics.extend(
                {name: value for name, value in row.items() if value}
                for row in rows
                if row["step"] and int(row["step"]) < step
            )
            experiment.save()
        super().log_metrics(metrics, step)
