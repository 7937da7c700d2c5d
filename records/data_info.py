"""The `data` block of a reproduction's results.json: what the runs were trained and tested on."""

from msgspec import Struct


class ControlFigure(Struct, frozen=True):
    """AUC of a classifier that sees the files of the videos and not the faces."""

    auc: float
    interval: tuple[float, float]


class ConfoundControl(Struct, frozen=True, omit_defaults=True):
    """How well real and fake are told apart without the face, see `mini_ffpp.control`."""

    logistic_regression: ControlFigure
    gradient_boosting: ControlFigure
    features: list[str]
    train_videos: int | None = None
    test_videos: int | None = None


class LeftOut(Struct, frozen=True, omit_defaults=True):
    """A frame or a video without crops; `key` is "<data set>/<method>/<video>"."""

    key: str
    compression: str
    frame: int | None = None
    reason: str | None = None
    path: str | None = None
    claimed: int | None = None


class Extraction(Struct, frozen=True):
    """The content of extraction.json: what was extracted into a crop store, and what was not.

    Attributes:
        frames: Number of frames in which faces were detected.
        shorter_than_claimed: Videos with fewer frames than their containers claim.
        missing: By data set and compression, the listed videos without a file.
        complete: Whether the last extraction has finished.
    """

    videos: int
    crops: int
    frames: int
    frames_without_face: list[LeftOut]
    videos_without_face: list[LeftOut]
    unreadable: list[LeftOut]
    shorter_than_claimed: list[LeftOut]
    missing: dict[str, list[str]]
    seconds: float
    complete: bool


class DataInfo(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Description of the data; of a set of runs only name, compression and kind are known.

    Attributes:
        videos: Number of videos by "<data set>/<split>".
        crop_store: The crop store's folder, relative to the reproduction's.
        recipe: Hash of the settings of the rungs that the claims compare.
        seconds: Duration of training and tests, if they ran without interruption.
    """

    name: str | None = None
    miniature: bool = False
    kind: str | None = None
    compression: str | None = None
    videos: dict[str, int] | None = None
    crops: int | None = None
    frames_without_face: int | None = None
    manifest_sha256: str | None = None
    store: dict[str, str | int | float | bool | None] | None = None
    extraction: Extraction | None = None
    confound_control: ConfoundControl | None = None
    crop_store: str | None = None
    command: str | None = None
    recipe: str | None = None
    seconds: float | None = None
