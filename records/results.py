"""results.json: the test results of a run, or of a reproduction."""

from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from errors import InputError
from records.data_info import DataInfo
from records.files import decode_record, read_text, write_record
from records.folder import RunFolder
from records.protocol import Protocol

VERSION: Literal[3] = 3

Interval = tuple[float, float]
T = TypeVar("T")


class Figures(Struct, Generic[T], frozen=True):
    """A value for each figure of merit; docs/evaluation.md defines the figures."""

    auc: T
    ap: T
    eer: T
    accuracy: T
    balanced_accuracy: T
    tpr: T
    fpr: T
    tpr_at_1pct_fpr: T
    tpr_at_10pct_fpr: T
    calibration_error: T
    log_loss: T


FIGURES: tuple[str, ...] = Figures.__struct_fields__


class LevelMetrics(Figures[float | None], frozen=True, kw_only=True):
    """Figures of one set of frames or videos, with their intervals; None if undefined."""

    threshold: float
    real: int
    fake: int
    intervals: Figures[Interval | None]


class MacroMetrics(Figures[float | None], frozen=True, kw_only=True):
    """Means of the figures over the forgery methods."""

    methods: int
    intervals: Figures[Interval | None]


class Levels(Struct, Generic[T], frozen=True):
    """Metrics of the frames and of the videos."""

    frame: T
    video: T


class TestMetrics(Struct, frozen=True, omit_defaults=True):
    """Metrics of one test set; each forgery method is set against all reals.

    `macro` is None with fewer than two forgery methods.
    """

    overall: Levels[LevelMetrics]
    by_method: dict[str, Levels[LevelMetrics]]
    macro: Levels[MacroMetrics] | None = None


class RunInfo(Struct, frozen=True, kw_only=True):
    """What the run is, and what was tested.

    `teacher_seed` is the seed of the ladder's teacher that the run belongs to: runs that share it
    are not independent.
    """

    name: str
    method: str
    seed: int
    test_passes: int
    teacher_seed: int | None = None
    manifest_hash: str | None = None
    config_hash: str | None = None
    git_commit: str | None = None
    checkpoint: str | None = None


class ModelInfo(Struct, frozen=True):
    """Cost of the deployed detector."""

    params: int | None
    macs: int | None = None
    input_size: int | None = None


class RunResults(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Results of one run; `branches` are a teacher's, `folder` is set within a reproduction."""

    version: Literal[3]
    run: RunInfo
    model: ModelInfo
    protocol: Protocol
    metrics: dict[str, TestMetrics]
    branches: dict[str, dict[str, TestMetrics]] = {}
    folder: str | None = None


class Paired(Struct, frozen=True, kw_only=True):
    """Differences of video AUC, paired over seeds, and the intervals of their mean."""

    differences: list[float]
    seeds: list[int]
    mean: float | None = None
    interval: Interval | None = None
    interval_over: str | None = None
    identities_interval: Interval | None = None


class ComparisonResult(Paired, frozen=True, kw_only=True):
    """The paired differences between two methods; `identities` is the number of test identities."""

    better: str
    than: str
    missing: list[str]
    identities: int | None = None


class ClaimResult(Paired, frozen=True, kw_only=True):
    """The verdict on a claim; the differences are those of the weakest comparison."""

    id: str
    claim: str
    verdict: str
    margin: float
    parameter_ratio: float | None
    comparisons: list[ComparisonResult]
    why: str


class ReproductionResults(Struct, frozen=True, kw_only=True):
    """Results of a reproduction: its runs, the claims about them, and the data."""

    version: Literal[3]
    runs: Annotated[list[RunResults], Meta(min_length=1)]
    claims: list[ClaimResult]
    data: DataInfo


class _Kind(Struct):
    runs: Raw | UnsetType = UNSET


def read_results(folder: Path) -> RunResults | ReproductionResults:
    """Read the results.json of a folder, of a run or of a reproduction.

    Raises:
        InputError: The file is missing, damaged, of another version, or lacks a field.
    """
    path = RunFolder(folder).results
    expected, remedy = f"test results of version {VERSION}", how_to_test_again(folder)
    text = read_text(path, expected, remedy)
    kind = decode_record(path, text, _Kind, expected, remedy)
    if kind.runs is UNSET:
        return decode_record(path, text, RunResults, expected, remedy)
    return decode_record(path, text, ReproductionResults, expected, remedy)


def read_run_results(folder: Path) -> RunResults:
    """Read the results.json of a run.

    Raises:
        InputError: See `read_results`, or the folder holds a reproduction.
    """
    results = read_results(folder)
    if isinstance(results, RunResults):
        return results
    msg = f"{folder}: holds a reproduction, expected one run: name one of its run folders"
    raise InputError(msg)


def read_reproduction_results(folder: Path) -> ReproductionResults:
    """Read the results.json of a reproduction.

    Raises:
        InputError: See `read_results`, or the folder holds one run.
    """
    results = read_results(folder)
    if isinstance(results, ReproductionResults):
        return results
    msg = f"{folder}: holds one run, expected a reproduction: run reproduce again"
    raise InputError(msg)


def write_results(path: Path, results: RunResults | ReproductionResults) -> None:
    """Write a results.json whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    write_record(path, results)


def how_to_test_again(folder: Path) -> str:
    """Return the remedy for a run whose results or scores cannot be used."""
    run = RunFolder(folder)
    if not run.config.is_file():
        return "make it again with this version of the project"
    return f"test the run again with two-in-one test -c {run.config} --ckpt_path {run.best}"
