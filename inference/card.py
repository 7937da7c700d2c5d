"""card.json: what a package's detector expects, where it comes from, and how its scores count."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from errors import InputError
from inference.typed_json import OtherTypeError, as_type

VERSION: Final = 2
CARD = "card.json"
EXPECTED = "a detector's package"
REMEDY = "make the package again with two-in-one export"


@dataclass(frozen=True)
class Network:
    """The network in detector.onnx.

    Attributes:
        image_size: Side S of its input, uint8 `[B, 3, S, S]` RGB, in pixels.
        evidence: Rows and columns of its evidence map.
        params: Number of its parameters.
        macs: Multiply-accumulates per crop.
        opset: Version of ONNX's operators.
        ir_version: Version of ONNX's file format.
    """

    image_size: int
    evidence: list[int]
    params: int
    macs: int
    opset: int
    ir_version: int


@dataclass(frozen=True)
class Quantized:
    """The same network in 8 bits, if it passed its gate.

    Attributes:
        written: Whether the package has detector.int8.onnx.
        reason: Why not, or what was left in float.
        auc_difference: Video AUC on the validation split minus that in float.
        interval: Its 95 % interval, paired, over the validation identities.
        size_ratio: Size of its file divided by that of detector.onnx.
        times_faster: Time of detector.onnx for one crop divided by its own, where it was made.
        float_layers: Names of the layers left in float.
    """

    written: bool
    reason: str
    auc_difference: float | None
    interval: list[float] | None
    size_ratio: float
    times_faster: float
    float_layers: list[str]


@dataclass(frozen=True)
class Crops:
    """How faces are found and cropped.

    Attributes:
        finder: The face detector.
        min_face: Smallest face of the first pass, in units of the frame's shorter side.
        all_faces: Whether every frame was searched for every person.
        scale: Side of the cropped square, in units of the longer side of the face's box.
        size: Side of a crop, in pixels.
        border: How the part of a square outside the frame is filled.
        resize: Filter that reduces and enlarges the square.
        colour: Order and range of the values.
    """

    finder: str
    min_face: float
    all_faces: bool
    scale: float
    size: int
    border: str
    resize: str
    colour: str


@dataclass(frozen=True)
class Frames:
    """The frames of a video that its score is computed from.

    Attributes:
        choice: Which frames of a video are examined.
        per_video: How many; 0 for all.
        scored: How many of those with a face are scored, evenly spaced; None for all.
    """

    choice: str
    per_video: int
    scored: int | None


@dataclass(frozen=True)
class Thresholds:
    """Scores from which a frame or a video counts as fake.

    They have the highest balanced accuracy on the validation split.
    """

    frame: float
    video: float


@dataclass(frozen=True)
class Domain:
    """The data that the detector was trained on.

    Attributes:
        dataset: Name of the data set.
        compression: Compression of its videos.
        methods: Forgery methods of the training.
        kind: "miniature" for generated data, else "release".
        no_verdict: Why the detector gives no verdict on videos from outside; None if it may.
        licence: Licence of the data.
    """

    dataset: str
    compression: str
    methods: list[str]
    kind: Literal["miniature", "release"]
    no_verdict: str | None
    licence: str


@dataclass(frozen=True)
class Corrupted:
    """Validation videos under one corruption, see `export.quality`.

    Attributes:
        corruption: Its name, or "clean".
        level: Value of its quantity; None for clean.
        sharpness: Median, see `inference.quality`.
        detail: Likewise.
        auc: Of the videos' scores.
        false_alarms: Share of the real videos that score above all but 5 % of the clean real ones.
        misses: Share of the forgeries that score below all but 5 % of the clean ones.
        covered: Share of the videos within the limits.
        covered_false_alarms: Share of the real videos that are within the limits and false alarms.
        covered_misses: Share of the forgeries that are within the limits and missed.
    """

    corruption: str
    level: float | None
    sharpness: float
    detail: float
    auc: float
    false_alarms: float
    misses: float
    covered: float
    covered_false_alarms: float
    covered_misses: float


@dataclass(frozen=True)
class Quality:
    """How blurred or compressed a face may be.

    Attributes:
        sharpness: A face is covered above this, see `inference.quality`.
        detail: Likewise.
        real: Number of real validation videos that they were derived from.
        fake: Of fake ones.
        curve: These videos clean and corrupted, from mild to severe.
    """

    sharpness: float
    detail: float
    real: int
    fake: int
    curve: list[Corrupted]


@dataclass(frozen=True)
class Card:
    """The content of card.json.

    Attributes:
        version: Version of the package's format.
        name: Name of the run.
        aggregation: How frame scores become a video's, see `inference.aggregation`.
        files: SHA-256 of every other file of the package, by name.
        versions: Commit of the project, and versions of the packages that made this one.
    """

    version: int
    name: str
    network: Network
    int8: Quantized
    crops: Crops
    frames: Frames
    aggregation: str
    thresholds: Thresholds
    domain: Domain
    quality: Quality
    files: dict[str, str]
    versions: dict[str, str]


def read_card(folder: Path) -> Card:
    """Read the card of a package.

    Raises:
        InputError: The folder is no package, or its card is damaged or of another version.
    """
    path = folder / CARD
    if not path.is_file():
        found = "has no card.json" if folder.is_dir() else "no such folder"
        msg = f"{folder}: {found}, expected {EXPECTED}: {REMEDY}"
        raise InputError(msg)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["version"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        msg = f"{path}: damaged ({reason}), expected the card of {EXPECTED}: {REMEDY}"
        raise InputError(msg) from error
    if version != VERSION:
        age = "an older" if isinstance(version, int) and version < VERSION else "a newer"
        msg = f"{path}: of {age} version ({version}), expected version {VERSION}: {REMEDY}"
        raise InputError(msg)
    try:
        card: Card = as_type(content, Card)
    except OtherTypeError as error:
        msg = f"{path}: {error}, expected the card of {EXPECTED}: {REMEDY}"
        raise InputError(msg) from error
    return card
