"""Video scores under corruptions, kept so that nothing is scored twice."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from errors import InputError
from records.scores import VIDEO_KEY

KEYS = [*VIDEO_KEY, "label"]


@dataclass(frozen=True)
class ScoreTables:
    """Video scores by condition: a table each, with a column for each run.

    What is there is not scored again, unless the crops or a run's checkpoint have changed.

    Args:
        folder: Of the tables.
        source: What the scores of all runs depend on: the manifest's hash, the split, ….
        checkpoints: Hash of each run's checkpoint.
    """

    folder: Path
    source: dict[str, Any]
    checkpoints: dict[str, str]

    def open(self) -> None:
        """Throw away what belongs to other crops, or to other checkpoints of these runs."""
        record = self.folder / "source.json"
        before = _read_record(record)
        if before.get("source") != self.source:
            for table in self.folder.glob("*.csv"):
                table.unlink()
            before = {}
        known = before.get("checkpoints", {})
        stale = [r for r, sha in self.checkpoints.items() if known.get(r, sha) != sha]
        for path in self.folder.glob("*.csv") if stale else ():
            _write_csv(_read_csv(path).drop(columns=stale, errors="ignore"), path)
        self.folder.mkdir(parents=True, exist_ok=True)
        now = {"source": self.source, "checkpoints": {**known, **self.checkpoints}}
        partial = record.with_name(".source.json.partial")
        partial.write_text(json.dumps(now, indent=2) + "\n", encoding="utf-8")
        partial.replace(record)

    def read(self, condition: str) -> pd.DataFrame:
        """The table of a condition; empty where none is."""
        path = self._path(condition)
        return _read_csv(path) if path.is_file() else pd.DataFrame(columns=KEYS)

    def missing(self, condition: str) -> list[str]:
        """Runs that have no scores under a condition."""
        return [run for run in self.checkpoints if run not in self.read(condition)]

    def add(self, condition: str, scores: pd.DataFrame) -> None:
        """Add the columns of runs."""
        before = self.read(condition)
        whole = before.merge(scores, on=KEYS, validate="1:1") if len(before) else scores
        _write_csv(whole, self._path(condition))

    def _path(self, condition: str) -> Path:
        return self.folder / f"{condition}.csv"


def checkpoint_hash(path: Path) -> str:
    """SHA-256 of a checkpoint, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_record(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        return {}  # whose scores these are is lost, so they are made again


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=dict.fromkeys(VIDEO_KEY, str))
    except ValueError as error:
        msg = f"{path}: not a table of scores: delete it, and it is made again"
        raise InputError(msg) from error


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    partial = path.with_name(f".{path.name}.partial")
    table.to_csv(partial, index=False)
    partial.replace(path)
