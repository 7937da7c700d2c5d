import numpy as np

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.alignment import feather, oval
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.blending import match_colours, poisson
from datamodules.mini_ffpp.forgeries.forgery import Forgery, collect, paired_patches


def faceswap(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Warp the source's face onto the target's landmarks and paste it.

    Modelled on FaceForensics++'s FaceSwap (MarekKowalski/FaceSwap): full resolution, a fit that
    varies by frame, roughly corrected colours, feathered or blended by Poisson's equation.
    """
    error = effort.trace(AMOUNTS.faceswap.colour_error)
    misfit = effort.trace(AMOUNTS.faceswap.misfit)
    by_poisson = effort.rng.random() < AMOUNTS.faceswap.poisson_share
    face = oval(0.30, effort.choice((0.64, 0.76)), effort.choice((0.78, 0.92)), 2.6)
    alpha = feather(face, effort.choice(AMOUNTS.faceswap.softness))
    results = []
    for frame, placement, ours, theirs in paired_patches(target, source):
        shift = misfit * effort.rng.standard_normal(2)
        swapped = match_colours(theirs, ours, face, error)
        if by_poisson:
            swapped = poisson(swapped, ours, face)
        fitted = placement.moved(shift.astype(np.float32))
        results.append(fitted.paste(frame, swapped, alpha))
    return collect(results)
