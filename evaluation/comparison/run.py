"""A trained and tested model, read from its run folder."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from errors import InputError
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.score_metrics import binary_metrics
from evaluation.metrics.spread import LINEAR, Spread, mean_spread, of_method, spread_of
from records.blocks import is_block, read_block, read_block_scores, read_blocks
from records.files import read_text
from records.folder import RunFolder
from records.identities import IdentityUnits, shown_people
from records.provenance import ProvenanceRecord, read_provenance
from records.results import (
    LevelMetrics,
    RunResults,
    TestMetrics,
    how_to_test_again,
    read_results,
    read_run_results,
)
from records.scores import VIDEO_KEY, read_scores

TEACHER = "teacher"
MACRO = "macro"
"""Selects the mean over the forgery methods in place of one of them."""


class Run:
    """A trained and tested model; its tables and the spread of its figures are computed once.

    Its folder may be `BLOCK/RUN` in the file of a block, which holds results and video scores.

    Attributes:
        name: Name of the run, unique in its reproduction.
        method: Rung of the ladder: teacher, student, spatial and so on.
        teacher_seed: Seed of the teacher whose block the run belongs to, if known.
        params: Number of the model's parameters.
        protocol: How the run was trained, selected and tested.
        test_passes: Number of times that the run's test split has been scored.
    """

    def __init__(self, folder: Path, results: RunResults) -> None:
        self.folder = folder
        self.files = RunFolder(folder)
        self.results = results
        info = results.run
        self.name, self.method, self.seed = info.name, info.method, info.seed
        self.teacher_seed = info.teacher_seed
        self.test_passes = info.test_passes
        self.params, self.protocol = results.model.params, results.protocol
        self._tables: dict[tuple[str, str, str | None], pd.DataFrame] = {}
        self._spreads: dict[tuple[str, str, str | None, str | None], Spread] = {}

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels at which scores are known: a block keeps those of the videos."""
        return ("video",) if is_block(self.folder.parent) else ("frame", "video")

    @property
    def in_domain(self) -> str:
        """Test set of the data set and compression that the run was trained on.

        Raises:
            InputError: The run was not tested on it.
        """
        if self.protocol.test in self.results.metrics:
            return self.protocol.test
        msg = (
            f"{self.folder}: trained for {self.protocol.test} but tested on "
            f"{', '.join(self.results.metrics) or 'nothing'}; expected its own test split: "
            f"{how_to_test_again(self.folder)}"
        )
        raise InputError(msg)

    @property
    def video(self) -> LevelMetrics:
        """Figures of the in-domain test videos."""
        return self.results.metrics[self.in_domain].overall.video

    @property
    def video_auc(self) -> float | None:
        """Video AUC on the in-domain test set."""
        return self.video.auc

    @cached_property
    def videos(self) -> pd.DataFrame:
        """In-domain test videos with their scores, one row per video, sorted by key."""
        return self.scored(self.in_domain).sort_values(VIDEO_KEY, ignore_index=True)

    def metrics(self, branch: str | None = None) -> dict[str, TestMetrics]:
        """Return the metrics by test set, of the run or of a teacher's branch."""
        return self.results.metrics if branch is None else self.results.branches.get(branch, {})

    def figure(
        self,
        name: str,
        test: str,
        level: str = "video",
        method: str | None = None,
        branch: str | None = None,
    ) -> float | None:
        """Return a figure of merit, None if undefined or not tested; see `spread`."""
        if (metrics := self.metrics(branch).get(test)) is None:
            return None
        scopes: dict[str | None, Any] = {None: metrics.overall, MACRO: metrics.macro}
        levels = (scopes | metrics.by_method).get(method)
        return getattr(getattr(levels, level), name) if levels else None

    def scored(self, test: str, level: str = "video", branch: str | None = None) -> pd.DataFrame:
        """Return the scores of one test set, one row per video or frame.

        Args:
            test: Key of `metrics`, e.g. "FaceForensics++ c23/test".
            level: "video" or "frame".
            branch: Branch of a teacher; default: the run's own scores.

        Raises:
            InputError: The scores are missing, damaged, or not those that the results are of.
        """
        if (test, level, branch) not in self._tables:
            self._read_tables(branch)
        return self._tables[test, level, branch]

    def spread(
        self, test: str, level: str = "video", method: str | None = None, branch: str | None = None
    ) -> Spread:
        """Return how AUC and balanced accuracy vary over the test identities.

        `method` selects a forgery method, which is set against all reals, or MACRO; see `scored`.
        """
        key = (test, level, method, branch)
        if key not in self._spreads:
            self._spreads[key] = self._spread(*key)
        return self._spreads[key]

    def _spread(self, test: str, level: str, method: str | None, branch: str | None) -> Spread:
        metrics = self.metrics(branch)[test]
        if method == MACRO:
            return mean_spread([self.spread(test, level, of, branch) for of in metrics.by_method])
        table = self.scored(test, level, branch)
        threshold = getattr(metrics.overall, level).threshold
        return spread_of(
            of_method(table, method), threshold, IdentityUnits(shown_people(table)), LINEAR
        )

    def _read_tables(self, branch: str | None) -> None:
        if is_block(path := self.folder.parent):
            column = f"{self.folder.name}/{branch}" if branch else self.folder.name
            levels = {"video": read_block_scores(path, column)}
        else:
            frames = read_scores(path := self.files.scores(branch))
            levels = {"frame": frames, "video": video_scores(frames, self.protocol.aggregation)}
        for test, metrics in self.metrics(branch).items():
            for level, table in levels.items():
                names = table["dataset"] + " " + table["compression"] + "/test"
                own = table[names == test]
                for method, expected in (None, metrics.overall), *metrics.by_method.items():
                    name = f"{level}s of {method or test}"
                    _check_figures(of_method(own, method), getattr(expected, level), name, path)
                self._tables[test, level, branch] = own

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Rows of metrics.csv; empty if the run has none.

        Raises:
            InputError: The file is not a table.
        """
        path, expected = self.files.metrics, "the curves of a training"
        if not os.path.lexists(path):
            return pd.DataFrame()
        read_text(path, expected, "train the run again")
        try:
            return pd.read_csv(path)
        except ValueError as error:
            msg = f"{path}: not a table, expected {expected}: train the run again"
            raise InputError(msg) from error

    @cached_property
    def provenance(self) -> ProvenanceRecord | None:
        """Provenance of the training; None if the run has none."""
        return read_provenance(self.files) if os.path.lexists(self.files.provenance) else None


def _check_figures(table: pd.DataFrame, expected: LevelMetrics, name: str, path: Path) -> None:
    """Check that scores have the figures of results.json; those of a truncated table differ."""
    figures = binary_metrics(table["label"], table["score"], expected.threshold)
    fake = int(table["label"].sum())
    found = len(table) - fake, fake, figures.auc, figures.log_loss
    known = expected.real, expected.fake, expected.auc, expected.log_loss
    one, other = np.array([found, known], dtype=np.float64)  # None becomes NaN
    tolerance = 1e-4 if is_block(path) else 1e-9  # a block keeps 6 digits
    if not np.allclose(one, other, rtol=0, atol=tolerance, equal_nan=True):
        msg = (
            f"{path}: {found[0]} real and {fake} fake {name} that do not have the figures of "
            f"results.json, which are of {expected.real} and {expected.fake}: "
            f"{how_to_test_again(path.parent)}"
        )
        raise InputError(msg)


def read_run(folder: Path) -> Run:
    """Read a run's folder; see `records.results.read_run_results`."""
    return Run(folder, read_run_results(folder))


def find_runs(folder: Path) -> list[Run]:
    """Return the runs of a folder or of a file.

    A folder is a run, or has sub-folders with results, or the files of teachers' blocks.

    Raises:
        InputError: There is none, or one cannot be read.
    """
    blocks = {folder: read_block(folder)} if is_block(folder) else read_blocks(folder)
    if blocks:
        return [Run(path / r.run.name, r) for path, block in blocks.items() for r in block.runs]
    if not folder.is_dir():
        msg = f"{folder}: no such folder, expected a run or a reproduction: name one under runs/"
        raise InputError(msg)
    for candidates in ([folder], sorted(folder.iterdir())):
        # A dangling link or a FIFO is refused by the reader, not skipped.
        found = [path for path in candidates if os.path.lexists(RunFolder(path).results)]
        read = {path: read_results(path) for path in found}
        runs = [Run(path, one) for path, one in read.items() if isinstance(one, RunResults)]
        if runs:
            return runs
    msg = (
        f"{folder}: no results.json in it or one level below, expected a run or a reproduction: "
        "finish the run, or name another folder"
    )
    raise InputError(msg)
