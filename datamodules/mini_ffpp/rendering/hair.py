import numpy as np

from datamodules.mini_ffpp.rendering.head import CROWN_POWER, HeadGrid, window_of
from datamodules.mini_ffpp.rendering.identity import Identity
from datamodules.mini_ffpp.rendering.motion import Pose
from datamodules.mini_ffpp.rendering.painting import Array, Light, inside, paint, planes, sample


def paint_hair_behind(
    image: Array, identity: Identity, pose: Pose, grid: HeadGrid, light: Light
) -> None:
    """Paint long hair behind the neck and the ears."""
    if identity.hair_style != "long":
        return
    spread = identity.width + identity.hair_volume + 0.10
    crown = identity.crown + identity.hair_volume
    window = window_of(pose, image.shape[1], spread + 0.05, -1.05 * crown, 1.7)
    image, grid = image[(..., *window)], grid.crop(window)
    u, v = grid.u, grid.v
    narrowing = 0.10 * np.clip(v - 0.4, 0, None)
    side = np.abs(u) - (spread - narrowing + 0.03 * np.sin(v * 5))
    top = _skull(u / spread, v / crown)
    outline = np.where(v < 0, top, np.maximum(side, v - 1.55 - 0.1 * np.cos(u * 4)))
    strands = _strands(identity, grid)
    _paint_strands(image, identity, grid, strands, inside(outline, grid.scale), light, darker=0.62)


def paint_hair_front(
    image: Array, identity: Identity, pose: Pose, grid: HeadGrid, light: Light
) -> None:
    """Paint the hair over the skull, down to the hairline, with an edge of strands."""
    if identity.hair_style == "bald":
        return
    crown = identity.crown + identity.hair_volume
    spread = identity.width + 0.45 * identity.hair_volume
    bottom = 1.1 * crown if identity.hair_style == "long" else 0.6
    window = window_of(pose, image.shape[1], 1.1 * spread, -1.1 * crown, bottom)
    image, grid = image[(..., *window)], grid.crop(window)
    outer = _skull(grid.u / spread, grid.v / crown)
    side = np.abs(grid.fu) / identity.width
    line = identity.hairline + 0.10 * np.square(grid.fu - identity.parting) + 0.75 * side**6
    if identity.hair_style == "fringe":
        line = -0.50 + 0.08 * np.cos(grid.fu * 6 + identity.parting * 9) + 0.6 * side**8
    if identity.hair_style == "receding":
        line = identity.hairline - 0.22 * np.exp(-np.square((side - 0.5) / 0.2)) + 0.8 * side**7
    if identity.hair_style == "long":
        line = identity.hairline + 0.12 * np.square(grid.fu - identity.parting) + 1.5 * side**5
    else:
        line = np.minimum(line, 0.12)
    strands = _strands(identity, grid)
    edge = np.maximum(outer, (grid.fv - line + 0.03 * strands) * 0.6)
    fringe = outer + 0.012 * strands
    alpha = inside(np.maximum(edge, fringe), grid.scale * 0.5)
    _paint_strands(image, identity, grid, strands, alpha, light, darker=1.0)


def _skull(across: Array, up: Array) -> Array:
    """Return 0 on the outline of a skull of half width and height 1, negative inside."""
    power = np.float32(CROWN_POWER)
    skull = (np.abs(across) ** power + np.abs(up) ** power) ** (1 / power) - 1
    return np.asarray(skull, dtype=np.float32)


def _strands(identity: Identity, grid: HeadGrid) -> Array:
    """Return noise whose strands run outwards from the parting."""
    u, v = grid.fu - identity.parting, grid.fv + identity.crown + 0.25
    angle = np.arctan2(u, v)
    return sample(identity.hair_texture, np.hypot(u, v) * 60, angle * 130 + 128)


def _paint_strands(
    image: Array,
    identity: Identity,
    grid: HeadGrid,
    strands: Array,
    alpha: Array,
    light: Light,
    darker: float,
) -> None:
    roundness = np.clip(1 - np.square(grid.u / 1.25), 0.25, 1)
    sheen = np.exp(
        -0.5 * np.square((grid.v + 0.95 - 0.12 * strands - 0.2 * grid.u * light[0]) / 0.13)
    )
    tone = darker * (0.62 + 0.38 * roundness) * (0.95 + 0.2 * strands + 0.25 * light[0] * grid.u)
    colour = np.clip(tone, 0.25, 1.8) * planes(identity.hair)
    paint(image, colour + 34 * darker * sheen * np.clip(0.8 + 0.5 * strands, 0, 2), alpha)
