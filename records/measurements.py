"""profile.json and robustness.json: what runs cost, and their scores on corrupted crops."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from records.files import read_record, write_record
from records.provenance import Machine
from records.results import Interval

VERSION: Literal[4] = 4
PROFILE, ROBUSTNESS, ROBUSTNESS_VAL = "profile.json", "robustness.json", "robustness-val.json"
SCORES = "robustness"  # folder of the scores on corrupted crops
FILES = (PROFILE, ROBUSTNESS, ROBUSTNESS_VAL, SCORES)


class Timing(Struct, frozen=True):
    """Median and quartiles over the rounds, and the ratio to the teacher: above 1 is better."""

    unit: str
    median: float
    quartiles: Interval
    times_better_than_teacher: float | None


class Timings(Struct, frozen=True):
    """Latency of one crop and throughput of a batch, in one form on one device."""

    latency: Timing
    throughput: Timing


class NetworkCost(Struct, frozen=True):
    """Cost of a network, shared by all runs whose networks are built alike.

    Attributes:
        macs: Multiply-accumulates per crop.
        onnx_bytes: Size of the exported network; None if the export failed.
        onnx_difference: Largest difference of the exported network's probabilities.
        not_exported: Why the export failed.
        forms: By device and form, for example "cpu onnx".
    """

    methods: list[str]
    runs: list[str]
    teacher: bool
    params: int
    macs: int
    input_size: int
    checkpoint_bytes: int
    onnx_bytes: int | None
    onnx_difference: float | None
    not_exported: str | None
    forms: dict[str, Timings]


class Profile(Struct, frozen=True):
    """Costs of networks, the teacher's first.

    Attributes:
        not_measured: By device and form, why it was not measured.
    """

    machine: Machine
    rounds: int
    threads: int
    networks: Annotated[list[NetworkCost], Meta(min_length=1)]
    not_measured: dict[str, str] = {}

    @property
    def forms(self) -> list[str]:
        """The forms of all networks, some of which may not be exported."""
        return list(dict.fromkeys(form for network in self.networks for form in network.forms))


class Level(Struct, frozen=True):
    """Video AUC and its 95 % interval over the test identities."""

    auc: float | None
    interval: Interval | None


class Curve(Struct, frozen=True):
    """Video AUC under one corruption, from mild to severe, and its mean over the levels."""

    levels: list[Level]
    mean: Level


class MethodRobustness(Struct, frozen=True):
    """Robustness of a method, as means over its seeds; curves by corruption."""

    method: str
    seeds: list[int]
    clean: Level
    curves: dict[str, Curve]


class CorruptionLevels(Struct, frozen=True):
    """The levels of a corruption, and the quantity that they are values of."""

    quantity: str
    levels: list[float]


class ScoreSource(Struct, frozen=True):
    """What scores on corrupted crops depend on, apart from the checkpoint.

    Attributes:
        test_set: Data set, compression and split, for example "FaceForensics++ c23/test".
    """

    test_set: str = field(name="set")
    split: Literal["train", "val", "test"]
    manifest_sha256: str
    crop_size: int
    frames_per_video: int
    aggregation: str
    corruptions: dict[str, CorruptionLevels]


class Robustness(ScoreSource, frozen=True):
    """Robustness of methods on one split.

    Attributes:
        checkpoints: SHA-256 of each run's checkpoint.
        videos: Number of real and fake videos.
        runs: As `methods`, by the name of the run.
    """

    checkpoints: dict[str, str]
    videos: dict[Literal["real", "fake"], int]
    methods: Annotated[list[MethodRobustness], Meta(min_length=1)]
    runs: dict[str, MethodRobustness]

    def __post_init__(self) -> None:
        expected = {name: len(entry.levels) for name, entry in self.corruptions.items()}
        for line in (*self.methods, *self.runs.values()):
            if {name: len(curve.levels) for name, curve in line.curves.items()} != expected:
                msg = f"the curves of {line.method} do not match `corruptions`"
                raise ValueError(msg)


class _ProfileFile(Struct, frozen=True):
    version: Literal[4]
    profile: Profile


class _RobustnessFile(Struct, frozen=True):
    version: Literal[4]
    robustness: Robustness


@dataclass(frozen=True)
class Measurements:
    """The measurements in a report's folder; None for what was not measured."""

    profile: Profile | None = None
    robustness: Robustness | None = None

    def cost_of(self, run: str) -> NetworkCost | None:
        """Return the cost of a run's network."""
        networks = self.profile.networks if self.profile else []
        return next((network for network in networks if run in network.runs), None)


def read_measurements(folder: Path) -> Measurements:
    """Read the measurements in a report's folder, the robustness of the test split if it exists.

    Raises:
        InputError: A file is damaged or of another version; the message names the field.
    """
    profile = robustness = None
    remedy = "measure again with `two-in-one {}`, or delete the file"
    if (path := folder / PROFILE).exists():
        expected = f"a profile of version {VERSION}"
        profile = read_record(path, _ProfileFile, expected, remedy.format("profile")).profile
    for path in (folder / ROBUSTNESS, folder / ROBUSTNESS_VAL):
        if robustness is None and path.exists():
            expected = f"a robustness of version {VERSION}"
            record = read_record(path, _RobustnessFile, expected, remedy.format("robustness"))
            robustness = record.robustness
    return Measurements(profile, robustness)


def write_profile(folder: Path, profile: Profile) -> Path:
    """Write profile.json into a report's folder and return its path."""
    path = folder / PROFILE
    write_record(path, _ProfileFile(VERSION, profile))
    return path


def write_robustness(folder: Path, robustness: Robustness) -> Path:
    """Write robustness.json, or robustness-val.json, into a report's folder; return its path."""
    path = folder / (ROBUSTNESS if robustness.split == "test" else ROBUSTNESS_VAL)
    write_record(path, _RobustnessFile(VERSION, robustness))
    return path
