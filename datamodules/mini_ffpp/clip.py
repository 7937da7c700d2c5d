from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Clip:
    """A video of one face before encoding, rendered or cut from a real video.

    Attributes:
        frames: `[n, size, size, 3]` RGB, float32, 0 to 255.
        landmarks: `[n, 5, 2]` pixels (x, y) in MTCNN's order: the eye on the left of the image, the
            other eye, the nose, the two corners of the mouth.
        grain: Strength of the noise that is added to every video made from this clip, the original
            and its forgeries alike.
    """

    frames: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    grain: float
