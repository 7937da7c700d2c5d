"""answers.npz: inputs with known outputs, which show that a package works on a machine."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from inference.arrays import PackageArrays
from inference.detector import Detector

ANSWERS = "answers.npz"
MAX_LOGIT_DIFFERENCE = 1e-4
MAX_SCORE_DIFFERENCE = 1e-3
MIN_OVERLAP = 0.999


@dataclass(frozen=True, eq=False)
class Answers(PackageArrays):
    """Rendered faces, whose scores torch computed when the package was made.

    Attributes:
        crops: `[n, S, S, 3]` RGB.
        logits: `[n]`, of being fake.
        clip: `[bytes]`, an .mp4 file.
        clip_score: Its score, as `test` computes it.
        clip_boxes: `[m, 4]`, the boxes of the person's face in the clip, in pixels.
    """

    file = ANSWERS

    crops: NDArray[np.uint8]
    logits: NDArray[np.float64]
    clip: NDArray[np.uint8]
    clip_score: NDArray[np.float64]
    clip_boxes: NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Differences of a machine's outputs from the answers.

    Attributes:
        logit: Largest difference of a crop's logit.
        score: Difference of the clip's score.
        overlap: Smallest intersection over union of a face's box with the answer.
    """

    logit: float
    score: float
    overlap: float

    def problems(self) -> str:
        """Return which differences exceed their bounds, or ""."""
        found = []
        # Written so that NaN exceeds them.
        if not self.logit <= MAX_LOGIT_DIFFERENCE:
            found.append(f"a logit differs by {self.logit:.1e} of {MAX_LOGIT_DIFFERENCE:.0e}")
        if not self.score <= MAX_SCORE_DIFFERENCE:
            found.append(f"the clip's score by {self.score:.1e} of {MAX_SCORE_DIFFERENCE:.0e}")
        if not self.overlap >= MIN_OVERLAP:
            found.append(f"a face's box overlaps by {self.overlap:.4f} of {MIN_OVERLAP}")
        return "; ".join(found)

    def __str__(self) -> str:
        return (
            f"known answers: logits within {self.logit:.1e}, the clip's score within "
            f"{self.score:.1e}, boxes overlap by {self.overlap:.4f} or more"
        )


def compare(detector: Detector, answers: Answers) -> Agreement:
    """Compute the answers on this machine."""
    logits = detector.score_crops(answers.crops).logits
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        clip.write_bytes(answers.clip.tobytes())
        person = detector.test_person(clip)
    return Agreement(
        logit=float(np.abs(logits - answers.logits).max()),
        score=abs(person.score - float(answers.clip_score)),
        overlap=_least_overlap(person.boxes, answers.clip_boxes),
    )


def check_answers(detector: Detector, answers: Answers) -> Agreement:
    """Compute the answers on this machine.

    Raises:
        InputError: An output differs by more than the bounds; the message has the difference.
    """
    agreement = compare(detector, answers)
    if problems := agreement.problems():
        msg = (
            f"{detector.folder / ANSWERS}: the answers fail on this machine ({problems}): do not "
            "use its scores here; try another version of onnxruntime"
        )
        raise InputError(msg)
    return agreement


def _least_overlap(boxes: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Return the smallest intersection over union of boxes `[n, 4]`; 0 if others were found."""
    if boxes.shape != expected.shape:
        return 0.0
    sides = np.minimum(boxes[:, 2:], expected[:, 2:]) - np.maximum(boxes[:, :2], expected[:, :2])
    shared = np.prod(sides.clip(min=0), axis=1)
    areas = [np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes, expected)]
    return float((shared / (areas[0] + areas[1] - shared)).min())
