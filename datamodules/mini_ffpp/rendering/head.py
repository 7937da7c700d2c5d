from dataclasses import dataclass, replace

import numpy as np

from datamodules.mini_ffpp.rendering.identity import Identity
from datamodules.mini_ffpp.rendering.motion import Pose
from datamodules.mini_ffpp.rendering.painting import (
    Array,
    Light,
    bump,
    inside,
    paint,
    planes,
    sample,
)

DEPTH = 0.8
CHIN_DROP = 0.10
CROWN_POWER = 2.45
MARGIN = 3  # pixels around a window, for the antialiased edge

Window = tuple[slice, slice]


@dataclass(frozen=True)
class HeadGrid:
    """Coordinates of each pixel on the head; all arrays `[H, W]` in head units.

    The outline is drawn in the flat coordinates `u`, `v`, the features in those of the face's
    surface, `fu`, `fv`, which are shifted by depth times the turn of the head. Each part is painted
    in the smallest window that holds it.
    """

    u: Array
    v: Array
    fu: Array
    fv: Array
    radius: Array
    scale: float

    def crop(self, window: Window) -> "HeadGrid":
        """Return the grid of a window of the image."""
        arrays = {name: getattr(self, name)[window] for name in ("u", "v", "fu", "fv", "radius")}
        return replace(self, **arrays)


def window_of(pose: Pose, size: int, across: float, top: float, bottom: float) -> Window:
    """Return the window of the image that holds |u| <= `across`, `top` <= v <= `bottom`."""
    u, v = np.array([-across, across, -across, across]), np.array([top, top, bottom, bottom])
    x, y = _pixels(pose, size, u, v)
    low = [int(np.clip(np.floor(axis.min()) - MARGIN, 0, size)) for axis in (y, x)]
    high = [int(np.clip(np.ceil(axis.max()) + 1 + MARGIN, 0, size)) for axis in (y, x)]
    return slice(low[0], high[0]), slice(low[1], high[1])


def head_window(identity: Identity, pose: Pose, size: int) -> Window:
    """Return the window of the image that holds the head with its ears and features."""
    across = max(1.25, 1.1 * identity.width + 0.15)
    return window_of(pose, size, across, -1.1 * identity.crown, 1.1 * identity.chin + 0.2)


def head_grid(identity: Identity, pose: Pose, size: int) -> HeadGrid:
    """Map the `size` x `size` pixels of the image onto the head in this pose."""
    scale = pose.scale * size
    pixels = np.arange(size, dtype=np.float32)
    x, y = (pixels - pose.x * size) / scale, ((pixels - pose.y * size) / scale)[:, None]
    cos, sin = np.float32(np.cos(pose.roll)), np.float32(np.sin(pose.roll))
    u, v = x * cos + y * sin, y * cos - x * sin
    window = head_window(identity, pose, size)
    radius = np.full_like(u, 2)
    radius[window] = outline_radius(identity, pose, u[window], v[window])
    depth = np.full_like(u, -0.35)
    depth[window] = _depth(radius[window])
    fu = u - np.float32(np.sin(pose.yaw)) * depth
    fv = v + np.float32(np.sin(pose.pitch)) * depth
    return HeadGrid(u, v, fu, fv, radius, scale)


def outline_radius(identity: Identity, pose: Pose, u: Array, v: Array) -> Array:
    """Return 1 on the outline of the head, less inside: superellipses for the crown and the jaw."""
    chin = identity.chin + CHIN_DROP * pose.mouth_open
    across = np.abs(u) / identity.width
    radius = np.empty(u.shape, dtype=np.float32)
    for part, down, power in (
        (v < 0, -v / identity.crown, CROWN_POWER),
        (v >= 0, v / chin, identity.jaw),
    ):
        radius[part] = (across[part] ** power + down[part] ** power) ** np.float32(1 / power)
    return radius


def _depth(radius: Array) -> Array:
    return np.asarray(DEPTH * np.sqrt(np.clip(1 - radius * radius, 0, None)) - 0.35)


def _pixels(pose: Pose, size: int, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map flat coordinates of the head to pixels (x, y)."""
    scale, cos, sin = pose.scale * size, np.cos(pose.roll), np.sin(pose.roll)
    x = pose.x * size + scale * (u * cos - v * sin)
    y = pose.y * size + scale * (u * sin + v * cos)
    return x, y


def project(
    identity: Identity, pose: Pose, size: int, points: list[tuple[float, float]]
) -> np.ndarray:
    """Return the pixel positions `[n, 2]` (x, y) of points on the surface of the face."""
    target = np.array(points, dtype=np.float32)
    u, v = target[:, 0].copy(), target[:, 1].copy()
    for _ in range(6):
        depth = _depth(outline_radius(identity, pose, u, v))
        u = target[:, 0] + np.sin(pose.yaw) * depth
        v = target[:, 1] - np.sin(pose.pitch) * depth
    return np.stack(_pixels(pose, size, u, v), axis=1)


def relief(identity: Identity, grid: HeadGrid) -> Array:
    """Return the height of the face above the image plane, in head units."""
    one, u, v = identity, grid.fu, grid.fv
    eye_line, side = one.eye_height, np.abs(u)
    height = 0.85 * np.sqrt(np.clip(1.04 - grid.radius * grid.radius, 0.015, None))
    height -= 0.085 * bump(side, v, (one.eye_distance - 0.02, eye_line), (0.15, 0.10))
    height += 0.055 * bump(side, v, (one.eye_distance, eye_line - 0.22), (0.22, 0.07))
    height += one.cheekbone * bump(side, v, (0.52, 0.22), (0.17, 0.16))
    ridge = np.clip((v - eye_line) / (one.nose_length - eye_line), 0, 1)
    nose = np.exp(-0.5 * np.square(u / (0.065 + 0.06 * ridge))) * (0.35 + 0.65 * ridge)
    fall = 1 / (1 + np.exp(np.clip((v - one.nose_length - 0.05) * 28, -30, 30)))
    rise = 1 / (1 + np.exp(np.clip((eye_line - 0.12 - v) * 18, -30, 30)))
    height += one.nose_bridge * nose * fall * rise
    wings = (one.nose_width * 0.85, one.nose_length + 0.015)
    height += 0.075 * bump(side, v, wings, (0.05, 0.05))
    height += 0.03 * bump(u, v, (0, one.mouth_height), (0.24, 0.10))
    height -= 0.03 * bump(u, v, (0, one.mouth_height + 0.19), (0.2, 0.045))
    height += 0.06 * bump(u, v, (0, one.chin - 0.22), (0.2, 0.12))
    fold = side - (one.nose_width + 0.05 + 0.42 * (v - one.nose_length))
    crease = np.exp(-0.5 * np.square(fold / 0.03)) * bump(u, v, (0, 0.5), (9, 0.13))
    height -= (0.006 + 0.016 * one.age) * crease
    return height


def shading(
    height: Array, pores: Array, scale: float, light: Light, gloss: float
) -> tuple[Array, Array]:
    """Return the diffuse shade (about 1) and highlight (0 to 1) under one light and the sky."""
    surface = height + 0.0022 * pores
    slope_y, slope_x = np.gradient(surface)
    inverse = 1 / np.sqrt(1 + np.square(slope_x * scale) + np.square(slope_y * scale))
    nx, ny = -slope_x * scale * inverse, -slope_y * scale * inverse
    lit = nx * light[0] + ny * light[1] + inverse * light[2]
    diffuse = 0.40 + 0.72 * np.clip(0.25 + 0.75 * lit, 0, None) + 0.08 * -ny
    half_z = np.sqrt((1 + light[2]) / 2)
    half = (light[0] / (2 * half_z), light[1] / (2 * half_z))
    mirror = np.clip(nx * half[0] + ny * half[1] + inverse * half_z, 0, 1)
    return diffuse.astype(np.float32), (gloss * mirror**24).astype(np.float32)


def paint_head(image: Array, identity: Identity, grid: HeadGrid, light: Light) -> Array:
    """Paint ears and skin, and return the diffuse shade of the skin, `[H, W]`."""
    one, u, v = identity, grid.fu, grid.fv
    tex_x, tex_y = u * 62 + 128, v * 62 + 128
    blotches = sample(one.skin_texture, tex_x, tex_y)
    pores = sample(one.pore_texture, tex_x * 1.9, tex_y * 1.9)
    diffuse, highlight = shading(relief(one, grid), pores, grid.scale, light, one.gloss)
    albedo = skin_albedo(one, grid, blotches, pores)
    ear = np.hypot((np.abs(grid.u) - one.width * 0.985) / 0.11, (grid.v - 0.05) / 0.26)
    ear_alpha = inside((ear - 1) * 0.13, grid.scale)
    ear_skin = np.array(one.skin, dtype=np.float32) * [0.86, 0.74, 0.70]
    ear_shade = 0.62 + 0.4 * np.clip(ear, 0, 1) ** 2
    paint(image, ear_shade * ear_skin[:, None, None], ear_alpha)
    alpha = inside(np.hypot(grid.u, grid.v) * (1 - 1 / np.maximum(grid.radius, 1e-3)), grid.scale)
    paint(image, albedo * diffuse + 255 * highlight, alpha)
    return diffuse


def skin_albedo(identity: Identity, grid: HeadGrid, blotches: Array, pores: Array) -> Array:
    """Return the colour of the skin `[3, H, W]`: blotches, red cheeks, freckles and a beard."""
    one, u, v = identity, grid.fu, grid.fv
    side = np.abs(u)
    cheeks = bump(side, v, (0.5, 0.3), (0.2, 0.17))
    nose = bump(u, v, (0, one.nose_length), (0.14, 0.1))
    red = 0.09 * cheeks + 0.07 * nose
    skin = planes(one.skin) * (1 + 0.022 * blotches + 0.016 * pores)
    skin[0] *= 1 + 0.4 * red
    skin[1:] *= 1 - red
    under_eye = bump(side, v, (one.eye_distance, one.eye_height + 0.14), (0.13, 0.05))
    skin *= 1 - (0.05 + 0.1 * one.age) * under_eye
    if one.freckles:
        spots = np.clip(blotches * 0.5 + pores - 1.35, 0, 1) * bump(u, v, (0, 0.2), (0.55, 0.25))
        paint(skin, 0.62 * np.array(one.skin), 0.8 * one.freckles * spots)
    if one.beard:
        edge = np.clip((v - (0.52 - 0.45 * np.square(side)) + 0.05 * blotches) * 9, 0, 1)
        bare = bump(u, v, (0, one.mouth_height + 0.01), (one.mouth_width * 0.75, 0.075))
        cover = edge * (1 - np.clip(1.6 * bare, 0, 1)) * np.clip(0.75 + 0.35 * pores, 0, 1)
        paint(skin, 0.75 * np.array(one.hair), one.beard * cover)
    return skin
