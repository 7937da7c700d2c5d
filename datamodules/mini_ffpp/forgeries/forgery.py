from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.alignment import Array, Placement


@dataclass(frozen=True)
class Forgery:
    """A forged video before grain and codec.

    Attributes:
        frames: `[n, H, W, 3]`, float32, 0 to 255.
        masks: `[n, H, W]` opacity of the forged face; 0 where the target is unchanged.
    """

    frames: Array
    masks: Array


def paired_patches(target: Clip, source: Clip) -> Iterator[tuple[Array, Placement, Array, Array]]:
    """Yield frame and placement of the target, and the patches of target and source, per frame."""
    count = len(source.frames)
    for index, (frame, points) in enumerate(zip(target.frames, target.landmarks, strict=True)):
        placement = Placement.of(points)
        theirs = Placement.of(source.landmarks[index % count])
        yield frame, placement, placement.cut(frame), theirs.cut(source.frames[index % count])


def collect(results: list[tuple[Array, Array]]) -> Forgery:
    """Stack the frames and masks that `Placement.paste` returned."""
    return Forgery(
        np.stack([frame for frame, _ in results]), np.stack([mask for _, mask in results])
    )
