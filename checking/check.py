"""Checking one video or image."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from checking.calibration import Calibration
from checking.cuts import CutFinder
from checking.moments import Moment, MomentKeeper
from checking.sampling import Sampling
from checking.verdict import NO_VERDICT, Judge, Measured, Verdict
from faces.containers import UnreadableVideoError
from faces.media import Media, open_media
from inference.detector import Detector
from inference.quality import MEASURES
from inference.reference import Reference
from inference.video import Person, ScoredFrame, VideoScores, keep_evenly

_MOMENTS = 4

Progress = Callable[[int, int], None]
"""Called with the number of frames sampled so far, and of all sampled frames."""


@dataclass(frozen=True)
class CheckedPerson:
    """A person of a video.

    Attributes:
        number: From 1; the main person is 1.
        verdict: On the person.
        seconds: `[n]` presentation times of the sampled frames with the face.
        probabilities: `[n]` of being fake; empty if the score is not comparable.
        score: Aggregated as in the validation; None if it is not comparable with scores there.
        side: Median of the longer side of the face, in pixels.
        moments: Of the highest probabilities; without a comparable score, of any.
    """

    number: int
    verdict: Verdict
    seconds: list[float]
    probabilities: list[float]
    score: float | None
    side: float
    moments: list[Moment]


@dataclass(frozen=True)
class Checked:
    """The result of a file.

    Attributes:
        path: The file.
        verdict: That on the worst person, or the reason why there is none.
        people: The main person first.
        worst: Number of the person that the verdict is on; None if no person is judged.
        is_image: Whether it is an image.
        duration: In seconds.
        frames: Number of sampled frames.
        without_face: Number of those without a person's face.
        cuts: Times of the first sampled frames after a cut, in seconds.
        remarks: What else limits the verdict.
        is_readable: Whether it is a video or an image that can be decoded.
    """

    path: Path
    verdict: Verdict
    people: list[CheckedPerson] = field(default_factory=list)
    worst: int | None = None
    is_image: bool = False
    duration: float = 0.0
    frames: int = 0
    without_face: int = 0
    cuts: list[float] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    is_readable: bool = True


class Checker:
    """Check files with a detector's package.

    Args:
        detector: The package.
        sampling: Which frames to score.
        calibration: Scores of one's own real videos. Default: none.
    """

    def __init__(
        self, detector: Detector, sampling: Sampling, calibration: Calibration | None = None
    ) -> None:
        self.detector, self.sampling = detector, sampling
        self.judge = Judge(detector.card, Reference.open(detector.folder), calibration)

    def check(self, path: Path, progress: Progress | None = None) -> Checked:
        """Check a file; one that cannot be read has no verdict, with the reason."""
        watcher = _Watcher(progress)
        try:
            with open_media(path) as media:
                chosen = self.sampling.choose(media.index.seconds)
                found = self.detector.video_scores(media, chosen, watcher.add)
                return self._checked(path, media, found, watcher)
        except UnreadableVideoError as error:
            return Checked(path, Verdict(NO_VERDICT, reason=str(error)), is_readable=False)

    def _checked(
        self, path: Path, media: Media, found: VideoScores, watcher: "_Watcher"
    ) -> Checked:
        people = [
            self._person(number, person, media, watcher)
            for number, person in enumerate(found.people, start=1)
        ]
        count = len(found.numbers)
        reason = f"no face found in {count} frame{'s' if count > 1 else ''}"
        verdict, worst = Verdict(NO_VERDICT, reason=reason), None
        if people:
            most = max(people, key=lambda person: person.verdict.order)
            verdict = most.verdict
            worst = None if verdict.is_forged is None else most.number
        return Checked(
            path,
            verdict,
            people,
            worst,
            media.is_image,
            float(media.index.seconds[-1]),
            count,
            len(found.without_face),
            watcher.cuts.cuts,
            _remarks(media, found, people, worst, watcher.cuts.cuts),
        )

    def _person(
        self, number: int, person: Person, media: Media, watcher: "_Watcher"
    ) -> CheckedPerson:
        boxes = person.boxes
        scored = keep_evenly(person, self.judge.known.frames, self.detector.card.aggregation)
        measured = Measured(
            score=scored.score,
            frames=len(scored.faces),
            seen=len(person.faces),
            side=float(np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1))),
            quality=dict(zip(MEASURES, np.median(person.quality, axis=0).tolist(), strict=True)),
        )
        verdict = self.judge.judge(measured, media.index.transfer, media.is_image)
        is_comparable = verdict.real is not None
        worst = sorted(person.faces, key=lambda face: -face.probability)
        moments = [m for face in worst if (m := watcher.moments.find(face)) is not None]
        return CheckedPerson(
            number,
            verdict,
            person.seconds,
            person.probabilities.tolist() if is_comparable else [],
            measured.score if is_comparable else None,
            measured.side,
            moments[:_MOMENTS],
        )


class _Watcher:
    """What is kept of the frames while a video is read."""

    def __init__(self, progress: Progress | None) -> None:
        self.cuts, self.moments = CutFinder(), MomentKeeper()
        self._progress, self._frames = progress, 0

    def add(self, frame: ScoredFrame) -> None:
        self.cuts.add(frame.seconds, frame.image)
        self.moments.add(frame)
        self._frames += 1
        if self._progress is not None:
            self._progress(self._frames, frame.total)


def _remarks(
    media: Media,
    found: VideoScores,
    people: list[CheckedPerson],
    worst: int | None,
    cuts: list[float],
) -> list[str]:
    remarks = []
    if media.index.claimed is not None:
        remarks.append(f"cut off: {media.index.length} of {media.index.claimed} frames")
    if found.undecoded:
        total = len(found.undecoded) + len(found.numbers)
        remarks.append(f"{len(found.undecoded)} of {total} chosen frames cannot be decoded")
    if len(people) > 1 and worst is not None:
        remarks.append(f"the verdict is on the worst of {len(people)} people, person {worst}")
        unjudged = [str(p.number) for p in people if p.verdict.is_forged is None]
        if unjudged:
            remarks.append(f"no verdict on person {', '.join(unjudged)}")
    if worst is not None:
        seconds = people[worst - 1].seconds
        within = sum(seconds[0] < cut <= seconds[-1] for cut in cuts)
        if within:
            cut = "cut" if within == 1 else "cuts"
            remarks.append(f"{within} {cut} within: person {worst} may be several people")
    return remarks
