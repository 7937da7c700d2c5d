import csv
from typing import Any

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only

from records.folder import RunFolder


class RunLogger(CSVLogger):
    """Writes metrics.csv into the run's folder, and continues it when the run is resumed.

    Lightning's own logger starts a new file, so a resumed run would lose its first epochs.

    Args:
        folder: The run's folder.
        resumed: Whether to keep the rows of the steps before the first one that is logged now.
    """

    def __init__(self, folder: RunFolder, *, resumed: bool) -> None:
        super().__init__(folder.path, name="", version="")  # no folder per version
        self._path, self._text = folder.metrics, ""
        self._before: list[dict[str, Any]] = []
        if resumed and self._path.is_file():
            self._text = self._path.read_text()
            self._before = list(csv.DictReader(self._text.splitlines()))

    @property
    def experiment(self) -> Any:
        """The writer, whose creation deletes metrics.csv: restored until the first row."""
        is_new = self._experiment is None
        writer = super().experiment
        if is_new and self._text and self._experiment is not None:  # only rank 0 has one
            self._path.write_text(self._text)
        return writer

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Write metrics, the first time after the rows of the steps before them."""
        if self._before and step is not None:
            rows, self._before = self._before, []
            earlier = (row for row in rows if row["step"] and int(row["step"]) < step)
            experiment = self.experiment
            self._path.unlink(missing_ok=True)
            experiment.metrics.extend({k: v for k, v in row.items() if v} for row in earlier)
            experiment.save()
        super().log_metrics(metrics, step)
