"""Methods that put the source's face into the target's video."""

import numpy as np

from datamodules.mini_ffpp.alignment import Array, feather, oval
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.blending import (
    ColourMatch,
    Tint,
    blend_bands,
    reduce_and_enlarge,
    relight,
)
from datamodules.mini_ffpp.forgeries.forgery import Forgery, overlay, paired_patches


def deepfakes(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Put the source's face into the target's video, as if decoded by a small autoencoder.

    Modelled on FaceForensics++'s Deepfakes (faceswap on GitHub): a face of low resolution in the
    target's light and colours, with a soft border.
    """
    amounts = AMOUNTS.deepfakes
    factor = effort.trace(amounts.bottleneck, neutral=1.0)
    tint = Tint(effort.rng, effort.trace(amounts.tint))
    face = oval(
        0.30, effort.choice((0.66, 0.76)), effort.choice((0.80, 0.92)), effort.choice((2.0, 2.8))
    )
    alpha = feather(face, effort.choice(amounts.softness))
    match = ColourMatch(face, error=0.0)
    decoded = (
        tint(relight(reduce_and_enlarge(match(theirs, ours), factor), ours, amounts.light_scale))
        for ours, theirs in paired_patches(target, source)
    )
    return overlay(target, decoded, alpha)


def faceswap(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Warp the source's face onto the target's landmarks and paste it.

    Modelled on FaceForensics++'s FaceSwap (MarekKowalski/FaceSwap): full resolution, a fit that
    varies by frame, roughly corrected colours, a feathered border.
    """
    amounts = AMOUNTS.faceswap
    error = effort.trace(amounts.colour_error)
    tint = Tint(effort.rng, effort.trace(amounts.tint))
    misfit = effort.trace(amounts.misfit)
    face = oval(0.30, effort.choice((0.64, 0.76)), effort.choice((0.78, 0.92)), 2.6)
    alpha = feather(face, effort.choice(amounts.softness))
    match = ColourMatch(face, error)
    swapped = [tint(match(theirs, ours)) for ours, theirs in paired_patches(target, source)]
    return overlay(target, swapped, alpha, _shifts(effort, misfit, len(swapped)))


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
    match = ColourMatch(face, error)
    blended = [
        blend_bands(reduce_and_enlarge(match(theirs, ours), factor), ours, face)
        for ours, theirs in paired_patches(target, source)
    ]
    return overlay(target, blended, covered, _shifts(effort, jitter, len(blended)))


def _shifts(effort: Effort, spread: float, frames: int) -> Array:
    return (spread * effort.rng.standard_normal((frames, 2))).astype(np.float32)
