import cv2
import numpy as np

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.alignment import PATCH, Array, feather, oval
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.expression import expression_of, move_mouth
from datamodules.mini_ffpp.forgeries.forgery import Forgery, collect, paired_patches

GRID_LAYERS = ((4, 0.95), (8, 0.3))  # period in pixels of the patch, weight


def neural_textures(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Synthesize the target's mouth region with the source's expression.

    Modelled on NeuralTextures (Thies et al., SIGGRAPH 2019) as used in FaceForensics++, for the
    mouth only: the generator's transposed convolutions leave a grid (Odena et al.,
    "Deconvolution and Checkerboard Artifacts", 2016).
    """
    share = effort.trace(AMOUNTS.neural_textures.expression)
    amplitude = effort.trace(AMOUNTS.neural_textures.grid)
    mouth = oval(effort.choice((0.66, 0.74)), effort.choice((0.5, 0.62)), 0.46, 2.2)
    alpha = feather(mouth, effort.choice(AMOUNTS.neural_textures.softness))
    grid = _grid(effort.rng)
    expression = share * expression_of(source.landmarks)
    results = []
    for index, (frame, placement, ours, _) in enumerate(paired_patches(target, source)):
        corners = expression[index % len(expression)]
        moved = move_mouth(ours, corners, opening=0.2 * share * float(np.cos(1.7 * index)))
        results.append(placement.paste(frame, moved + amplitude * _uneven(moved, grid), alpha))
    return collect(results)


def _grid(rng: np.random.Generator) -> Array:
    """Draw the uneven overlap of two upsampling layers, repeated over the patch: `[P, P, 3]`."""
    layers = np.zeros((PATCH, PATCH, 3))
    for period, weight in GRID_LAYERS:
        tile = rng.normal(0, 1, (period, period, 1)) + 0.3 * rng.normal(0, 1, (period, period, 3))
        tile -= tile.mean(axis=(0, 1))
        layers += weight * np.tile(tile / tile.std(), (PATCH // period, PATCH // period, 1))
    return layers.astype(np.float32)


def _uneven(patch: Array, grid: Array) -> Array:
    """Scale the grid by the local detail of the patch, as if multiplied by activations."""
    detail = np.abs(patch - cv2.GaussianBlur(patch, (0, 0), 3)).mean(axis=2, keepdims=True)
    local = cv2.GaussianBlur(detail, (0, 0), 4)[..., None]
    return np.asarray(grid * np.clip(0.6 + local / 12, 0.6, 1.6), dtype=np.float32)
