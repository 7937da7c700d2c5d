from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from datamodules.mini_ffpp.alignment import Array
from datamodules.mini_ffpp.clip import Clip


@dataclass(frozen=True)
class Forgery:
    """A forged video before grain and codec.

    Attributes:
        frames: `[n, H, W, 3]`, float32, 0 to 255.
        masks: `[n, H, W]` opacity of the forged face; 0 where the target is unchanged.
    """

    frames: Array
    masks: Array


def paired_patches(target: Clip, source: Clip) -> Iterator[tuple[Array, Array]]:
    """Yield the patches of target and source, for each frame of the target."""
    for index, patch in enumerate(target.patches):
        yield patch, source.patches[index % len(source.patches)]


def overlay(
    target: Clip, patches: Iterable[Array], alpha: Array, shifts: Array | None = None
) -> Forgery:
    """Paste one patch into each frame of the target, see `Placement.overlay`.

    Args:
        target: The clip, unchanged.
        patches: One patch `[PATCH, PATCH, 3]` per frame.
        alpha: `[PATCH, PATCH]` opacity.
        shifts: `[n, 2]` misfit of each patch in patch pixels.
    """
    forgery = Forgery(target.frames.copy(), np.zeros(target.frames.shape[:3], dtype=np.float32))
    for index, patch in enumerate(patches):
        placement = target.placements[index]
        if shifts is not None:
            placement = placement.moved(shifts[index])
        placement.overlay(forgery.frames[index], forgery.masks[index], patch, alpha)
    return forgery
