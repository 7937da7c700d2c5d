import numpy as np

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.alignment import oval
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.blending import (
    blend_bands,
    match_colours,
    reduce_and_enlarge,
)
from datamodules.mini_ffpp.forgeries.forgery import Forgery, collect, paired_patches


def celeb_swap(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Swap the whole face in the manner of Celeb-DF's improved synthesis.

    Modelled on Li et al., "Celeb-DF", CVPR 2020: a larger output, matched colours, a seam blended
    in all octaves, and only slight jitter.
    """
    factor = effort.trace(AMOUNTS.celeb_swap.bottleneck, neutral=1.0)
    error = effort.trace(AMOUNTS.celeb_swap.colour_error)
    jitter = effort.trace(AMOUNTS.celeb_swap.jitter)
    face = oval(0.36, effort.choice((0.70, 0.78)), effort.choice((0.82, 0.92)), 2.3)
    covered = oval(0.33, 0.96, 1.10, 2.3)
    results = []
    for frame, placement, ours, theirs in paired_patches(target, source):
        swapped = reduce_and_enlarge(match_colours(theirs, ours, face, error), factor)
        blended = blend_bands(swapped, ours, face)
        shift = jitter * effort.rng.standard_normal(2)
        fitted = placement.moved(shift.astype(np.float32))
        results.append(fitted.paste(frame, blended, covered))
    return collect(results)
