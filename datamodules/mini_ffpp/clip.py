from dataclasses import dataclass
from functools import cached_property

import numpy as np

from datamodules.mini_ffpp.alignment import Array, Placement


@dataclass(frozen=True, eq=False)
class Clip:
    """A video of one face before encoding, rendered or cut from a real video.

    Attributes:
        frames: `[n, size, size, 3]` RGB, float32, 0 to 255.
        landmarks: `[n, 5, 2]` pixels (x, y) in MTCNN's order: the eye on the left of the image, the
            other eye, the nose, the two corners of the mouth.
        grain: Strength of the noise that is added to every video made from this clip, the original
            and its forgeries alike.
    """

    frames: Array
    landmarks: Array
    grain: float

    @cached_property
    def placements(self) -> list[Placement]:
        """The position of the face patch in each frame."""
        return [Placement.of(points) for points in self.landmarks]

    @cached_property
    def patches(self) -> Array:
        """The face patches, `[n, PATCH, PATCH, 3]`."""
        pairs = zip(self.placements, self.frames, strict=True)
        return np.stack([placement.cut(frame) for placement, frame in pairs])
