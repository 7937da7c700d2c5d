"""Methods that transfer the source's expression to the target's face."""

from functools import cache

import cv2
import numpy as np

from datamodules.mini_ffpp.alignment import (
    AVERAGE_FACE,
    PATCH,
    UNIT,
    Array,
    feather,
    in_rgb,
    oval,
    patch_grid,
)
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.amounts import AMOUNTS, Effort
from datamodules.mini_ffpp.forgeries.blending import Tint
from datamodules.mini_ffpp.forgeries.forgery import Forgery, overlay

GRID_LAYERS = ((4, 0.95), (8, 0.3))  # period in pixels of the patch, weight


def face2face(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Transfer the source's expression to the target and re-render the target's face.

    Modelled on Face2Face (Thies et al., CVPR 2016): the identity remains the target's, the mouth
    moves like the source's, and the light's hue has the errors of an estimated model.
    """
    amounts = AMOUNTS.face2face
    share = effort.trace(amounts.expression)
    tint = Tint(effort.rng, effort.trace(amounts.tint))
    face = oval(0.32, effort.choice((0.64, 0.76)), effort.choice((0.78, 0.92)), 2.4)
    alpha = feather(face, effort.choice(amounts.softness))
    openings = 0.25 * share * np.sin(2.1 * np.arange(len(target.frames)))
    moved = _reenact(target, source, share, openings)
    return overlay(target, (tint(patch) for patch in moved), alpha)


def neural_textures(target: Clip, source: Clip, effort: Effort) -> Forgery:
    """Synthesize the target's mouth region with the source's expression.

    Modelled on NeuralTextures (Thies et al., SIGGRAPH 2019) as used in FaceForensics++, for the
    mouth only: the generator's transposed convolutions leave a grid (Odena et al.,
    "Deconvolution and Checkerboard Artifacts", 2016).
    """
    amounts = AMOUNTS.neural_textures
    share = effort.trace(amounts.expression)
    amplitude = effort.trace(amounts.grid)
    tint = Tint(effort.rng, effort.trace(amounts.tint))
    mouth = oval(effort.choice((0.66, 0.74)), effort.choice((0.5, 0.62)), 0.46, 2.2)
    alpha = feather(mouth, effort.choice(amounts.softness))
    grid = _grid(effort.rng)
    openings = 0.2 * share * np.cos(1.7 * np.arange(len(target.frames)))
    moved = _reenact(target, source, share, openings)
    synthesized = (tint(patch) + amplitude * _uneven(patch, grid) for patch in moved)
    return overlay(target, synthesized, alpha)


def _reenact(target: Clip, source: Clip, share: float, openings: np.ndarray) -> list[Array]:
    """Move the target's mouth in each frame like the source's, amplified by `share`."""
    expression = share * _expression(source)
    return [
        _move_mouth(patch, expression[index % len(expression)], float(opening))
        for index, (patch, opening) in enumerate(zip(target.patches, openings, strict=True))
    ]


def _expression(clip: Clip) -> Array:
    """Measure the displacement of the corners of the mouth from the clip's mean.

    Returns:
        `[n, 2, 2]` patch pixels.
    """
    placed = np.stack(
        [
            points[3:] @ placement.matrix[:, :2].T + placement.matrix[:, 2]
            for points, placement in zip(clip.landmarks, clip.placements, strict=True)
        ]
    )
    return (placed - placed.mean(axis=0)).astype(np.float32)


def _move_mouth(patch: Array, corners: Array, opening: float) -> Array:
    """Warp the lower face.

    Args:
        patch: `[P, P, 3]` of the average face's geometry.
        corners: `[2, 2]` displacement of the corners of the mouth, in patch pixels.
        opening: Relative stretch of the mouth's height; 0 keeps it, negative closes it.
    """
    left, right, mouth = _reach_of_mouth()
    _, v = patch_grid()
    flow_x = left * corners[0, 0] + right * corners[1, 0]
    flow_y = left * corners[0, 1] + right * corners[1, 1]
    flow_y += mouth * opening * (v - AVERAGE_FACE[3, 1]) * UNIT
    pixels = np.arange(PATCH, dtype=np.float32)
    moved = cv2.remap(
        patch,
        pixels - flow_x,
        pixels[:, None] - flow_y,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(moved, dtype=np.float32)


@cache
def _reach_of_mouth() -> tuple[Array, Array, Array]:
    """Return how far each pixel moves with the corners of the mouth and with its opening."""
    u, v = patch_grid()
    middle = AVERAGE_FACE[3, 1]
    left, right, mouth = (
        np.exp(-0.5 * (np.square((u - x) / width) + np.square((v - y) / 0.17)))
        for (x, y), width in (
            (AVERAGE_FACE[3], 0.2),
            (AVERAGE_FACE[4], 0.2),
            ((0.0, middle), 0.3),
        )
    )
    return left, right, mouth


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
    red, green, blue = cv2.split(np.abs(patch - cv2.GaussianBlur(patch, (0, 0), 3)))
    detail = (red + green + blue) / np.float32(3)
    local = cv2.GaussianBlur(detail, (0, 0), 4)
    return np.asarray(grid * in_rgb(np.clip(0.6 + local / 12, 0.6, 1.6)), dtype=np.float32)
