"""reference.npz: scores of the validation videos, which a new score is compared with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.arrays import PackageArrays

REFERENCE = "reference.npz"


@dataclass(frozen=True, eq=False)
class Reference(PackageArrays):
    """The validation split: n videos, and the frames of each in order.

    Attributes:
        score: `[n]`, the videos' scores, aggregated as the card states.
        label: `[n]`, 1 = fake, 0 = real.
        method: `[n]`, the forgery method, or the name of the reals.
        video: `[n]`, ids.
        identity: `[n]`, the independent unit that the video belongs to: a person, or two whose
            faces were exchanged.
        side: `[n]`, median of the longer side of the face's box, in pixels.
        frame_video: `[m]`, for each frame the row of its video.
        frame_score: `[m]`, the frames' scores.
    """

    file = REFERENCE

    score: NDArray[np.float64]
    label: NDArray[np.int64]
    method: NDArray[np.str_]
    video: NDArray[np.str_]
    identity: NDArray[np.str_]
    side: NDArray[np.float64]
    frame_video: NDArray[np.int64]
    frame_score: NDArray[np.float64]
