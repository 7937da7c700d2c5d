"""P-values of a score against one's own real videos; no forgeries are needed.

Split conformal prediction (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World",
2005): the new score and those of n real videos are exchangeable if the new video is real and of the
same kind. Then flagging it at p <= a is a false alarm with a probability of at most a, on average
over calibrations. For one calibration the rate may be higher: `bound` holds with 97.5 % confidence
over the choice of its videos (Vovk, "Conditional validity of inductive conformal predictors",
ACML 2012).
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from errors import InputError, refuse_difference
from inference.typed_json import OtherTypeError, as_type

CALIBRATION = "calibration.json"
VERSION = 1
# One side of a 95 % interval.
_CONFIDENCE = 0.975


@dataclass(frozen=True)
class PValue:
    """How unusual a score is among one's own real videos.

    Attributes:
        p: Conformal p-value, (1 + videos that score as high) / (1 + videos).
        low: Lower bound of the share of such videos that score as high, with 97.5 % confidence.
        bound: Upper bound: the false-alarm rate of this calibration is at most this.
        count: Number of videos that score as high.
        videos: Number of videos.
    """

    p: float
    low: float
    bound: float
    count: int
    videos: int


@dataclass(frozen=True)
class Calibration:
    """The scores of one's own real videos.

    Attributes:
        detector: SHA-256 of the package's card.
        sampling: Options that the frames were chosen with.
        scores: Of each video, by its name.
        left_out: Why other files have none, by name.
    """

    detector: str
    sampling: dict[str, float]
    scores: dict[str, float]
    left_out: dict[str, str]
    version: int = VERSION

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a calibration.

        Raises:
            InputError: The file is missing, damaged, or of another version.
        """
        remedy = "make it again with two-in-one calibrate"
        if path.exists() and not path.is_file():  # opening a FIFO would wait for a writer
            msg = f"{path}: not a regular file, expected a calibration: {remedy}"
            raise InputError(msg)
        try:
            found: Self = as_type(json.loads(path.read_text(encoding="utf-8")), cls)
            is_sound = found.version == VERSION and all(map(math.isfinite, found.scores.values()))
        except (OSError, ValueError, RecursionError, OtherTypeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "damaged"
            msg = f"{path}: {reason}, expected a calibration: {remedy}"
            raise InputError(msg) from error
        if not is_sound:
            msg = f"{path}: damaged or of another version, expected version {VERSION}: {remedy}"
            raise InputError(msg)
        return found

    def check(self, detector: str, sampling: dict[str, float], path: Path) -> None:
        """Check that it is of this package and of frames chosen alike.

        Raises:
            InputError: It is not.
        """
        if self.detector != detector:
            msg = f"{path}: made with another package: make it again with two-in-one calibrate"
            raise InputError(msg)
        before, now = ({f"--{k}": v for k, v in one.items()} for one in (self.sampling, sampling))
        remedy = "use the same, or calibrate again"
        refuse_difference(f"{path}: made with", before, now, remedy)

    def p_value(self, score: float) -> PValue:
        """Compare a new video's score with the calibration's."""
        return p_value(sum(known >= score for known in self.scores.values()), len(self.scores))


def p_value(count: int, videos: int) -> PValue:
    """Return the p-value of a score that `count` of the real videos reach."""
    low, high = 1 - _upper_limit(videos - count, videos), _upper_limit(count, videos)
    return PValue((1 + count) / (1 + videos), low, high, count, videos)


def fewest_videos(level: float) -> int:
    """Return how many real videos make a bound of this level possible: 72 for 5 %, 368 for 1 %."""
    return math.ceil(math.log(1 - _CONFIDENCE) / math.log1p(-level))


def _upper_limit(count: int, videos: int) -> float:
    """Return Clopper and Pearson's one-sided limit of a share, by bisection."""
    if count >= videos:
        return 1.0
    low, high = count / videos, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _at_most(count, videos, middle) > 1 - _CONFIDENCE else (low, middle)
        )
    return high


def _at_most(count: int, videos: int, share: float) -> float:
    """Return the binomial probability of at most `count` successes."""
    total = math.lgamma(videos + 1)
    return sum(
        math.exp(
            total
            - math.lgamma(k + 1)
            - math.lgamma(videos - k + 1)
            + k * math.log(share)
            + (videos - k) * math.log1p(-share)
        )
        for k in range(count + 1)
    )
