"""Video scores on corrupted crops, stored so that an interrupted measurement resumes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pandas as pd

from errors import InputError
from records.files import write_file
from records.measurements import ScoreSource
from records.scores import PEOPLE, VIDEO_KEY

KEYS = [*VIDEO_KEY, *PEOPLE, "label"]
_TYPES = {**dict.fromkeys(KEYS, str), "label": int, "score": float}


@dataclass(frozen=True)
class ScoreTables:
    """One table of video scores per run and condition.

    The name of a run's folder contains a hash of all that its scores depend on, so scores of other
    crops or of another checkpoint are never reused.

    Args:
        folder: Folder of the tables.
        source: What the scores of all runs depend on.
        checkpoints: SHA-256 of each run's checkpoint.
    """

    folder: Path
    source: ScoreSource
    checkpoints: dict[str, str]

    def missing(self, condition: str) -> list[str]:
        """Return the runs without scores under a condition."""
        return [run for run in self.checkpoints if not self._path(run, condition).is_file()]

    def read(self, run: str, condition: str) -> pd.DataFrame:
        """Return the scores of a run, one row per video: KEYS and score.

        Raises:
            InputError: The file is damaged.
        """
        path = self._path(run, condition)
        try:
            # An unknown identity is "".
            na_values = {"score": ["", "nan"]}
            table = pd.read_csv(path, dtype=_TYPES, keep_default_na=False, na_values=na_values)
        except (ValueError, OverflowError):
            table = pd.DataFrame()
        if list(table) == [*KEYS, "score"] and len(table) and not table.isna().any(axis=None):
            return table
        msg = f"{path}: damaged, expected the scores of videos: delete it and measure again"
        raise InputError(msg)

    def write(self, run: str, condition: str, scores: pd.DataFrame) -> None:
        """Write the scores of a run."""
        write_file(self._path(run, condition), scores[[*KEYS, "score"]].to_csv(index=False))

    def _path(self, run: str, condition: str) -> Path:
        dependencies = msgspec.json.encode((self.source, self.checkpoints[run]))
        key = hashlib.sha256(dependencies).hexdigest()[:12]
        return self.folder / f"{run}-{key}" / f"{condition}.csv"
