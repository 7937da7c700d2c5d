"""Methods that put the source's face into the target's video."""

import numpy as np

from datamodules.mini_ffpp.alignment import Array, feather, oval
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.blending import (
    ColourMatch,
    blend_bands,
    poisson,
    reduce_and_enlarge,
)
from datamodules.mini_ffpp.forgeries.forgery import Forgery, paired_patches, paste


def deepfakes(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Put the source's face into the target's video, as if decoded by a small autoencoder.

    Modelled on FaceForensics++'s Deepfakes (faceswap on GitHub): a face of low resolution in the
    target's colours, with a soft border.
    """
    factor = effort.trace(AMOUNTS.deepfakes.bottleneck, neutral=1.0)
    error = effort.trace(AMOUNTS.deepfakes.colour_error)
    face = oval(
        0.30, effort.choice((0.66, 0.76)), effort.choice((0.80, 0.92)), effort.choice((2.0, 2.8))
    )
    alpha = feather(face, effort.choice(AMOUNTS.deepfakes.softness))
    match = ColourMatch(face, error)
    decoded = (
        reduce_and_enlarge(match(theirs, ours), factor)
        for ours, theirs in paired_patches(target, source)
    )
    return paste(target, decoded, alpha)


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
    match = ColourMatch(face, error)
    swapped = []
    for ours, theirs in paired_patches(target, source):
        patch = match(theirs, ours)
        swapped.append(poisson(patch, ours, face) if by_poisson else patch)
    return paste(target, swapped, alpha, _shifts(effort, misfit, len(swapped)))


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
    return paste(target, blended, covered, _shifts(effort, jitter, len(blended)))


def _shifts(effort: Effort, spread: float, frames: int) -> Array:
    return (spread * effort.rng.standard_normal((frames, 2))).astype(np.float32)
