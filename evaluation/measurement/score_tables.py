"""Video scores on corrupted crops, stored so that an interrupted measurement resumes."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from msgspec import Struct

from errors import InputError
from records.files import read_record, write_file, write_record
from records.measurements import ScoreSource
from records.scores import VIDEO_KEY

KEYS = [*VIDEO_KEY, "label"]


class _Record(Struct, frozen=True):
    source: ScoreSource
    checkpoints: dict[str, str]


@dataclass(frozen=True)
class ScoreTables:
    """One table of video scores per condition, with one column per run.

    Args:
        folder: Folder of the tables.
        source: What the scores of all runs depend on.
        checkpoints: SHA-256 of each run's checkpoint.
    """

    folder: Path
    source: ScoreSource
    checkpoints: dict[str, str]

    def open(self) -> None:
        """Delete the scores of other crops, and of other checkpoints of these runs."""
        record = self.folder / "source.json"
        known: dict[str, str] = {}
        try:
            before = read_record(record, _Record, "the source of the scores", "delete it")
        except InputError:  # missing or damaged, so the source of the tables is unknown
            before = None
        if before is not None and before.source == self.source:
            known = before.checkpoints
        else:
            for path in self.folder.glob("*.csv"):
                path.unlink()
        stale = [run for run, sha in self.checkpoints.items() if known.get(run, sha) != sha]
        for path in self.folder.glob("*.csv") if stale else ():
            _write(_read(path).drop(columns=stale, errors="ignore"), path)
        write_record(record, _Record(self.source, {**known, **self.checkpoints}))

    def read(self, condition: str) -> pd.DataFrame:
        """Return the table of a condition, empty if nothing is scored.

        Raises:
            InputError: The file is not such a table.
        """
        path = self._path(condition)
        return _read(path) if path.is_file() else pd.DataFrame(columns=KEYS)

    def missing(self, condition: str) -> list[str]:
        """Return the runs without scores under a condition."""
        known = self.read(condition)
        return [run for run in self.checkpoints if run not in known]

    def add(self, condition: str, scores: pd.DataFrame) -> None:
        """Add the columns of runs.

        Raises:
            InputError: The table holds other videos.
        """
        path, before = self._path(condition), self.read(condition)
        if len(before):
            added = before.merge(scores, on=KEYS)
            if not len(added) == len(before) == len(scores):
                raise InputError(_damaged(path))
            scores = added
        _write(scores, path)

    def _path(self, condition: str) -> Path:
        return self.folder / f"{condition}.csv"


def _read(path: Path) -> pd.DataFrame:
    types: Any = defaultdict(lambda: float, {**dict.fromkeys(VIDEO_KEY, str), "label": int})
    try:
        table = pd.read_csv(path, dtype=types)
    except ValueError as error:
        raise InputError(_damaged(path)) from error
    if list(table.columns[: len(KEYS)]) != KEYS:
        raise InputError(_damaged(path))
    return table


def _damaged(path: Path) -> str:
    return (
        f"{path}: damaged, expected the scores of the videos: delete it and run the command again"
    )


def _write(table: pd.DataFrame, path: Path) -> None:
    write_file(path, table.to_csv(index=False))
