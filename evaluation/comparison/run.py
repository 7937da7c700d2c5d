"""One trained and tested model, as its folder holds it."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from errors import InputError
from evaluation.metrics.aggregation import VIDEO_KEY, video_scores
from evaluation.metrics.score_metrics import binary_metrics
from records.results import check_run, read_json, read_results, way_out
from records.scores import read_scores

# Below this a run has learnt next to nothing: its optimization collapsed, which says more of the
# recipe than of the method.
COLLAPSE_AUC = 0.6

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Run:
    """One trained and tested model: its folder and its results."""

    folder: Path
    results: dict[str, Any]
    _tables: dict[tuple[str, str, str | None], pd.DataFrame] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def name(self) -> str:
        """Name of the run, unique in its reproduction."""
        return str(self.results["run"]["name"])

    @property
    def method(self) -> str:
        """Rung of the ladder: teacher, student, spatial and so on."""
        return str(self.results["run"]["method"])

    @property
    def seed(self) -> int:
        """Seed of the run; runs of two methods are paired by it."""
        return int(self.results["run"]["seed"])

    @property
    def params(self) -> int | None:
        """Number of the model's parameters."""
        params = self.results["model"]["params"]
        return None if params is None else int(params)

    @property
    def protocol(self) -> dict[str, Any]:
        """How the run was trained, selected and tested."""
        return dict(self.results["protocol"])

    @property
    def test_passes(self) -> int:
        """How often the run's test split has been scored."""
        return int(self.results["run"]["test_passes"])

    @property
    def in_domain(self) -> str:
        """Key of the test split of the data set and compression that the run was trained on.

        Raises:
            InputError: The run was not tested on it.
        """
        key = f"{self.protocol['dataset']} {self.protocol['compression']}/test"
        if key in self.results["metrics"]:
            return key
        msg = (
            f"{self.folder}: trained for {key} but tested on "
            f"{', '.join(self.results['metrics']) or 'nothing'}; expected its own test split: "
            "run the test stage on it"
        )
        raise InputError(msg)

    @property
    def video_auc(self) -> float | None:
        """Video AUC on the in-domain test set."""
        auc = self.results["metrics"][self.in_domain]["overall"]["video"]["auc"]
        return None if auc is None else float(auc)

    @property
    def collapsed(self) -> bool:
        """Whether the run learnt next to nothing."""
        return self.video_auc is not None and self.video_auc < COLLAPSE_AUC

    @cached_property
    def videos(self) -> pd.DataFrame:
        """In-domain test videos with their scores, sorted by key; one row a video."""
        return self.scored(self.in_domain).sort_values(VIDEO_KEY, ignore_index=True)

    def metrics(self, branch: str | None = None) -> dict[str, Any]:
        """Figures by test set, of a teacher's branch or the run's own."""
        if branch is None:
            return dict(self.results["metrics"])
        return dict(self.results.get("branches", {}).get(branch, {}))

    def scored(self, test: str, level: str = "video", branch: str | None = None) -> pd.DataFrame:
        """Scores of one test set, one row a video or a frame.

        Args:
            test: Key of `metrics`, e.g. "FaceForensics++ c23/test".
            level: "video" or "frame".
            branch: Of a teacher; its own scores where not given.

        Raises:
            InputError: The scores are not there, or not those that the results were made of.
        """
        if (test, level, branch) not in self._tables:
            self._read_tables(branch)
        return self._tables[test, level, branch]

    def _read_tables(self, branch: str | None) -> None:
        path = self.folder / f"scores{f'-{branch}' if branch else ''}.csv"
        frames = read_scores(path)
        levels = {"frame": frames, "video": video_scores(frames, self.protocol["aggregation"])}
        for test, told in self.metrics(branch).items():
            for level, table in levels.items():
                names = table["dataset"] + " " + table["compression"] + "/test"
                self._tables[test, level, branch] = table[names == test]
            videos, told = self._tables[test, "video", branch], told["overall"]["video"]
            found = binary_metrics(videos["label"], videos["score"], told["threshold"])
            if any(_apart(found[name], told[name]) for name in ("real", "fake", "auc", "log_loss")):
                msg = (
                    f"{path}: {found['real']} real and {found['fake']} fake videos of {test} that "
                    f"do not give the figures of results.json, which are of {told['real']} and "
                    f"{told['fake']}: {way_out(self.folder)}"
                )
                raise InputError(msg)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Rows of metrics.csv; empty where the run left none."""
        return _read_optional_csv(self.folder / "metrics.csv")

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Content of provenance.json; empty where the run left none."""
        path = self.folder / "provenance.json"
        return read_json(path) if path.is_file() else {}


def read_run(folder: Path) -> Run:
    """Read one run's folder.

    Raises:
        InputError: No results.json, one cut short, of another version, or of something else.
    """
    results = read_results(folder)
    if "runs" in results:
        msg = f"{folder}: holds a reproduction, expected one run: name one of its run folders"
        raise InputError(msg)
    check_run(results, folder / "results.json")
    return Run(folder, results)


def find_runs(folder: Path) -> list[Run]:
    """All runs in a folder: itself, or its sub-folders with a results.json, sorted by name.

    Raises:
        InputError: There is none, or one cannot be read.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder, expected a run or a reproduction: give one under runs/"
        raise InputError(msg)
    own = folder / "results.json"
    if own.is_file() and "runs" not in read_results(folder):
        return [read_run(folder)]
    beside = sorted(folder.glob("*/results.json"))
    found = [path for path in beside if "runs" not in read_results(path.parent)]
    if not found:
        msg = (
            f"{folder}: no results.json in it or one level below, expected a run or a "
            "reproduction: finish the run, or give another folder"
        )
        raise InputError(msg)
    return [read_run(path.parent) for path in found]


def _apart(one: float | None, other: float | None) -> bool:
    """Whether two figures differ by more than rounding."""
    if one is None or other is None:
        return one is not other
    return abs(one - other) > _ROUNDING


def _read_optional_csv(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame()
    try:
        return pd.read_csv(path)
    except ValueError as error:
        msg = f"{path}: not a table, expected the curves of a training: train the run again"
        raise InputError(msg) from error
