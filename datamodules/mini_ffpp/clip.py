from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Clip:
    """A video of one face before it is encoded, rendered or taken from a real video.

    Attributes:
        frames: `[n, size, size, 3]` RGB, float32, 0 to 255.
        landmarks: `[n, 5, 2]` pixels (x, y) in MTCNN's order: the eye on the picture's left, the
            other eye, the nose, the two corners of the mouth.
        grain: Deviation, in grey levels, of the noise that the camera adds to every video made
            from this clip, the original and its forgeries alike.
    """

    frames: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    grain: float
