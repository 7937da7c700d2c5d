"""results.json: the test results of a run, or of a reproduction."""

from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from errors import InputError
from records.data_info import DataInfo
from records.files import decode_record, read_text
from records.folder import RunFolder
from records.protocol import Protocol
from records.slices import SliceResults

VERSION: Literal[4] = 4

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

    `macro` is None with fewer than two forgery methods; `slices` are by column, e.g. `skin_tone`.
    """

    overall: Levels[LevelMetrics]
    by_method: dict[str, Levels[LevelMetrics]]
    macro: Levels[MacroMetrics] | None = None
    slices: dict[str, SliceResults] = {}


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

    version: Literal[4]
    run: RunInfo
    model: ModelInfo
    protocol: Protocol
    metrics: dict[str, TestMetrics]
    branches: dict[str, dict[str, TestMetrics]] = {}
    folder: str | None = None


class ComparisonResult(Struct, frozen=True, kw_only=True):
    """The paired difference of video AUC between two methods, and its verdict.

    Attributes:
        missing: Methods, or whatever else is lacking, without which there is no difference.
        differences: One per pair of runs.
        seeds: Seed of each pair.
        runs: Independent runs of the method that has fewer.
        teachers: Teachers of the runs.
        identities: Test identities.
        interval: 95 % interval of the mean over both.
        level_interval: 90 % interval, which lies in the zone where the methods are level.
        se_runs: Standard error due to the runs; None with one run.
        se_identities: Standard error due to the test identities.
        p_value: Two-sided, before Holm.
        p_holm: After Holm over the comparisons of all claims.
        runs_needed: Runs that would decide at the spread seen; None if identities are lacking.
    """

    better: str
    than: str
    verdict: str
    missing: list[str]
    differences: list[float] = []
    seeds: list[int] = []
    runs: int = 0
    teachers: int = 0
    identities: int | None = None
    mean: float | None = None
    interval: Interval | None = None
    level_interval: Interval | None = None
    se_runs: float | None = None
    se_identities: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    runs_needed: int | None = None


class ClaimResult(Struct, frozen=True, kw_only=True):
    """The verdict on one reading of a claim.

    Attributes:
        reading: The rung that stands for "naive" in it; None for a claim without it.
        verdict: supported, refuted, level, undecided or no verdict.
        scope: The teachers that it holds for; None if no runs can be compared.
        zone: Differences up to this count as none.
        parameter_ratio: Parameters of the teacher over those of the student.
    """

    id: str
    claim: str
    reading: str | None
    verdict: str
    scope: str | None
    zone: float
    parameter_ratio: float | None
    comparisons: list[ComparisonResult]
    why: str


class ReproductionResults(Struct, frozen=True, kw_only=True):
    """Results of a reproduction: its runs, the claims about them, and the data.

    `judged` has the number of runs at each judging: more than one number is a ladder that was
    extended after a look, whose error rates are not those of one judging. `elsewhere` are runs
    trained on other data, for the table across data sets.
    """

    version: Literal[4]
    runs: Annotated[list[RunResults], Meta(min_length=1)]
    claims: list[ClaimResult]
    data: DataInfo
    judged: list[int] = []
    elsewhere: list[RunResults] = []


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


def how_to_test_again(folder: Path) -> str:
    """Return the remedy for a run whose results or scores cannot be used."""
    run = RunFolder(folder)
    if not run.config.is_file():
        return "make it again with this version of the project"
    return f"test the run again with two-in-one test -c {run.config} --ckpt_path {run.best}"
