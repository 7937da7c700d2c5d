"""The verdict on a person in a video, or the reason why there is none.

A grade follows from ranks alone, never from the raw score: from the share of real videos that score
as high, and of known forgeries that score as low, each with its uncertainty.
"""

from dataclasses import dataclass

import numpy as np

from checking.calibration import Calibration, PValue
from checking.ranks import KnownVideos, Share
from inference.card import Card
from inference.reference import Reference

NO_VERDICT = "no verdict"
GRADES = {"very strong": 0.01, "strong": 0.05, "moderate": 0.10, "weak": 0.25}
"""The largest rate of errors that each grade allows, as the upper bound of a 95 % interval."""

# Below this share of the validation videos, a face is smaller than was validated.
_COVERED = 0.01
# A person of fewer sampled frames than this share of the validation's may be a false detection.
_FEWEST_FRAMES = 0.5
_LACKING = {
    "sharpness": "the face is too blurred: its sharpness is {:.3f}, and on validation videos the "
    "answers held above {:.3f} only",
    "detail": "the face is too compressed or too smooth: the share of its pixels with detail "
    "is {:.3f}, and on validation videos the answers held above {:.3f} only",
}


@dataclass(frozen=True)
class Verdict:
    """A verdict on a person or a video.

    Attributes:
        grade: A grade of `GRADES`, or "no verdict".
        is_forged: Which way the evidence points; None without a verdict.
        reason: Why there is no verdict; "" with one.
        real: Share of the known real videos that score as high; None if nothing is comparable.
        fake: Share of the known forgeries that score as low; likewise.
        p_value: Against one's own real videos, if calibrated.
    """

    grade: str
    is_forged: bool | None = None
    reason: str = ""
    real: Share | None = None
    fake: Share | None = None
    p_value: PValue | None = None

    @property
    def line(self) -> str:
        """The verdict in a few words, e.g. "strong evidence of a forgery"."""
        if self.is_forged is None:
            return f"{NO_VERDICT}: {self.reason}"
        of = "of a forgery" if self.is_forged else "against the known kinds of forgery"
        return f"{self.grade} evidence {of}"

    @property
    def explanation(self) -> list[str]:
        """What the score means, one sentence each; empty without a verdict."""
        found = []
        if self.real is not None and self.fake is not None:
            found += [
                f"{self.real.count} of {self.real.videos} known real videos score this high: "
                f"{self.real.percent}.",
                f"{self.fake.count} of {self.fake.videos} known forgeries score this low: "
                f"{self.fake.percent}.",
            ]
        if self.p_value is not None:
            p = self.p_value
            found.append(
                f"{p.count} of your own {p.videos} real videos score this high: p = {p.p:.3f}; "
                f"flagging such a score is wrong for at most {100 * p.bound:.1f} % of real videos "
                "like them (with 97.5 % confidence)."
            )
        return found

    @property
    def order(self) -> tuple[float, ...]:
        """What people are sorted by: evidence of a forgery is largest, then evidence against it."""
        if self.is_forged is None or self.real is None or self.fake is None:
            return (0.0,)
        if not self.is_forged:
            return (1.0, self.fake.high)
        alarms = self.real.high if self.p_value is None else self.p_value.bound
        return (2.0, -alarms, -self.real.count, self.fake.count)


@dataclass(frozen=True)
class Measured:
    """What is known of a person's face in a video.

    Attributes:
        score: Aggregated over `frames` frames, as in the validation.
        frames: Number of frames in the score.
        seen: Number of sampled frames with the face.
        side: Median of the longer side of the face, in pixels.
        quality: Medians by measure, see `inference.quality`.
    """

    score: float
    frames: int
    seen: int
    side: float
    quality: dict[str, float]


class Judge:
    """Judge people by a package's known videos, and one's own real videos if there are any.

    Args:
        card: The package's.
        reference: Likewise.
        calibration: Default: none.
    """

    def __init__(
        self, card: Card, reference: Reference, calibration: Calibration | None = None
    ) -> None:
        self._card, self._calibration = card, calibration
        self.known = KnownVideos(reference, card.aggregation)
        # A video without a crop in the store has none.
        self._least_side = float(np.nanquantile(reference.side, _COVERED))

    def not_comparable(self, person: Measured, transfer: str | None, is_image: bool) -> str:
        """Return why a score cannot be compared with the known ones, or ""."""
        fewest = max(1, round(_FEWEST_FRAMES * self.known.frames))
        if transfer is not None:
            return f"HDR video ({transfer}): the detector was trained on standard dynamic range"
        if not is_image and person.seen < fewest:
            return f"the face is in {person.seen} sampled frames, fewer than {fewest}"
        if person.side < self._least_side:
            return (
                f"the face is {person.side:.0f} px large: validation covers {self._least_side:.0f} "
                "px and more"
            )
        for name, reason in _LACKING.items():
            value, limit = person.quality[name], getattr(self._card.quality, name)
            if value <= limit:
                return reason.format(value, limit)
        return ""

    def judge(self, person: Measured, transfer: str | None, is_image: bool) -> Verdict:
        """Return the verdict on a person."""
        reason = self._card.domain.no_verdict or self.not_comparable(person, transfer, is_image)
        if reason:
            return Verdict(NO_VERDICT, reason=reason)
        real, fake = self.known.ranks(person.score, person.frames)
        p_value = self._calibration.p_value(person.score) if self._calibration else None
        return graded(real, fake, p_value)


def graded(real: Share, fake: Share, p_value: PValue | None) -> Verdict:
    """Return the verdict that follows from the ranks.

    If the intervals of the two shares do not overlap, the evidence is against the kind of video in
    which the score is rarer, and the upper bound of that share is the rate of errors. A calibration
    replaces the share of the known real videos.
    """
    alarms = real.high if p_value is None else p_value.bound
    if alarms < fake.low:
        errors, is_forged = alarms, True
    elif fake.high < (real.low if p_value is None else p_value.low):
        errors, is_forged = fake.high, False
    else:
        errors, is_forged = 1.0, None
    for grade, most in GRADES.items():
        if errors <= most:
            return Verdict(grade, is_forged, "", real, fake, p_value)
    reason = "real videos and forgeries both score like this"
    if max(alarms, fake.high) <= max(GRADES.values()):
        reason = "neither real videos nor known forgeries usually score like this"
    return Verdict(NO_VERDICT, None, reason, real, fake, p_value)
