"""Reading and writing what a run leaves behind: results.json, scores.csv, metrics.csv."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from errors import InputError
from evaluation.aggregation import VIDEO_KEY, video_scores
from evaluation.metrics import binary_metrics, check_scores
from evaluation.protocol import KEYS

VERSION = 2
SCORE_COLUMNS = ["dataset", "compression", "method", "video", "label", "frame", "score"]
# Below this a run has learnt next to nothing: its optimization collapsed, which says more of the
# recipe than of the method.
COLLAPSE_AUC = 0.6

_ROUNDING = 1e-9
_RUN_BLOCKS = {
    "run": ("name", "method", "seed", "test_passes"),
    "model": ("params",),
    "protocol": KEYS,
}
_REPRODUCTION_BLOCKS = ("runs", "claims", "data")


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
                    f"{told['fake']}: {_way_out(self.folder)}"
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
        return _read_json(path) if path.is_file() else {}


def read_results(folder: Path) -> dict[str, Any]:
    """Content of a folder's results.json, of a run or of a reproduction.

    Raises:
        InputError: None there, cut short, not JSON, or of another version.
    """
    path = folder / "results.json"
    results = _read_json(path)
    if results.get("version") != VERSION:
        found = results.get("version", "none")
        msg = (
            f"{path}: version {found}, expected version {VERSION} of the results: "
            f"{_way_out(folder)}"
        )
        raise InputError(msg)
    return results


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


def check_run(results: Any, path: Path) -> None:
    """Refuse what is not a run's results.

    Raises:
        InputError: A block or a key is missing; it is named.
    """
    for block, keys in _RUN_BLOCKS.items():
        for key in keys:
            if not isinstance(results, dict) or key not in (results.get(block) or {}):
                msg = f"{path}: no {block}.{key}, expected a run's results: test the run again"
                raise InputError(msg)
    if not isinstance(results.get("metrics"), dict):
        msg = f"{path}: no metrics, expected a run's results: test the run again"
        raise InputError(msg)
    for key, test in results["metrics"].items():
        if not isinstance(test, dict) or "video" not in (test.get("overall") or {}):
            msg = f"{path}: no metrics of {key}, expected its figures: test the run again"
            raise InputError(msg)


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


def read_reproduction_results(folder: Path) -> dict[str, Any]:
    """Content of a reproduction's results.json.

    Raises:
        InputError: None there, cut short, of another version, or of something else.
    """
    path = folder / "results.json"
    results = read_results(folder)
    for block in _REPRODUCTION_BLOCKS:
        if block not in results:
            msg = f"{path}: no {block}, expected a reproduction's results: run reproduce again"
            raise InputError(msg)
    for run in results["runs"]:
        check_run(run, path)
    return results


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Write a results.json whole or not at all; nan is refused, undefined figures are null."""
    text = json.dumps({"version": VERSION, **results}, indent=2, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)


def read_scores(path: Path) -> pd.DataFrame:
    """Frame scores of a run; ids stay text, so that `071` does not become 71.

    Raises:
        InputError: None there, not such a table, or see `check_scores`.
    """
    if not path.is_file():
        msg = f"{path}: no such file, expected the frame scores of a test: test the run again"
        raise InputError(msg)
    try:
        text: dict[str, type[str] | type[float]] = dict.fromkeys(VIDEO_KEY, str)
        scores = pd.read_csv(
            path,
            usecols=SCORE_COLUMNS,
            dtype=text | {"score": float},
        )
    except ValueError as error:
        msg = f"{path}: not a table of {', '.join(SCORE_COLUMNS)}: test the run again"
        raise InputError(msg) from error
    check_scores(scores, str(path))
    return scores


def _apart(one: float | None, other: float | None) -> bool:
    """Whether two figures differ by more than rounding."""
    if one is None or other is None:
        return one is not other
    return abs(one - other) > _ROUNDING


def _way_out(folder: Path) -> str:
    config, checkpoint = folder / "config.yaml", folder / "checkpoints" / "best.ckpt"
    if not config.is_file():
        return "make it again with this version of the project"
    return f"test the run again with two-in-one test -c {config} --ckpt_path {checkpoint}"


def _read_optional_csv(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame()
    try:
        return pd.read_csv(path)
    except ValueError as error:
        msg = f"{path}: not a table, expected the curves of a training: train the run again"
        raise InputError(msg) from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        msg = f"{path.parent}: no {path.name} in it, expected a finished run: finish or test it"
        raise InputError(msg)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path}: cut short or not JSON, expected a whole file: {_way_out(path.parent)}"
        raise InputError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: holds no JSON object, expected results: give a run's folder"
        raise InputError(msg)
    return content
