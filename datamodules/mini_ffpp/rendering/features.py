import numpy as np

from datamodules.mini_ffpp.rendering.head import HeadGrid, Window
from datamodules.mini_ffpp.rendering.identity import Identity
from datamodules.mini_ffpp.rendering.motion import Pose
from datamodules.mini_ffpp.rendering.painting import Array, bump, inside, paint, planes, sample


def paint_features(
    image: Array, identity: Identity, pose: Pose, grid: HeadGrid, shade: Array
) -> None:
    """Paint eyes, brows, nostrils and mouth over the skin, each in its own window for speed."""
    for side in (-1.0, 1.0):
        centre = (side * identity.eye_distance, identity.eye_height - 0.1)
        window = _window(grid, centre, 0.4, 0.45)
        _paint_eye(image[(..., *window)], identity, pose, grid.crop(window), shade[window], side)
        _paint_brow(image[(..., *window)], identity, pose, grid.crop(window), side)
    window = _window(grid, (0.0, identity.nose_length), 0.4, 0.25)
    _paint_nostrils(image[(..., *window)], identity, grid.crop(window))
    window = _window(grid, (0.0, identity.mouth_height + 0.08), 0.6, 0.4)
    _paint_mouth(image[(..., *window)], identity, pose, grid.crop(window), shade[window])


def _window(grid: HeadGrid, centre: tuple[float, float], across: float, down: float) -> Window:
    near = (np.abs(grid.fu - centre[0]) < across) & (np.abs(grid.fv - centre[1]) < down)
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _paint_eye(
    image: Array, one: Identity, pose: Pose, grid: HeadGrid, shade: Array, side: float
) -> None:
    x = (grid.fu - side * one.eye_distance) * side / one.eye_width
    y = (grid.fv - one.eye_height) / one.eye_width + one.eye_tilt * x
    scale = grid.scale * one.eye_width
    arc = 1 - x * x
    opening = one.eye_opening * pose.eyes_open
    lower = 0.34 * one.eye_opening * arc + 0.02
    upper = lower - (lower + opening * np.sign(arc) * np.abs(arc) ** 0.8) * pose.eyes_open
    upper = np.minimum(upper, lower)
    crease = np.exp(-0.5 * np.square((y - upper + 0.22) / 0.07)) * np.clip(arc + 0.1, 0, 1)
    skin = np.array(one.skin, dtype=np.float32)
    paint(image, 0.55 * skin, 0.5 * crease)
    white = inside(np.maximum(upper - y, y - lower), scale) * (np.abs(x) < 1)
    lid_shadow = np.clip(0.62 + 1.1 * (y - upper), 0, 1) * np.clip(shade, 0.5, 1.1)
    paint(image, lid_shadow * planes([232, 224, 218]), white)
    gaze = np.hypot(x - pose.gaze_x * side, y - pose.gaze_y + 0.06)
    iris_radius = 0.43
    fibres = 0.85 + 0.3 * np.clip((gaze / iris_radius), 0, 1) - 0.55 * (gaze > 0.36)
    iris = lid_shadow * fibres * planes(one.iris) * 1.15
    paint(image, iris, white * inside(gaze - iris_radius, scale))
    paint(image, (12.0, 10.0, 10.0), white * inside(gaze - 0.18, scale))
    glint = np.hypot(x * side - pose.gaze_x + 0.12, y - pose.gaze_y + 0.2)
    paint(image, (250.0, 250.0, 250.0), white * inside(glint - 0.09, scale))
    tear = bump(x, y, (-0.92, 0.08), (0.1, 0.08))
    paint(image, skin * [0.95, 0.6, 0.6], 0.6 * white * tear)
    lash = np.exp(-0.5 * np.square((y - upper + 0.03) / 0.085)) * np.clip(arc * 3 + 0.3, 0, 1)
    paint(image, (26.0, 18.0, 16.0), 0.9 * lash)
    lower_lash = np.exp(-0.5 * np.square((y - lower - 0.03) / 0.05)) * np.clip(arc * 2, 0, 1)
    paint(image, 0.5 * skin, 0.45 * lower_lash)


def _paint_brow(image: Array, one: Identity, pose: Pose, grid: HeadGrid, side: float) -> None:
    x = (grid.fu * side - one.eye_distance - 0.015) / (one.eye_width * 1.3)
    height = one.eye_height - one.brow_height - 0.035 * pose.brow_raise
    bend = one.brow_arch * np.square(x - 0.25) * np.where(x > 0.25, 1.3, 0.35)
    y = grid.fv - (height + bend)
    thickness = one.brow_thickness * np.clip(1.15 - 0.45 * x, 0.2, 1.3)
    strands = sample(one.hair_texture, x * 24 + y * 180, y * 130 - x * 14)
    soft = np.clip(1.25 - np.abs(y) / thickness + 0.28 * strands, 0, 1)
    ends = np.clip((1.08 - np.abs(x)) * 5, 0, 1)
    paint(image, 0.62 * np.array(one.hair), 0.85 * soft * ends)


def _paint_nostrils(image: Array, one: Identity, grid: HeadGrid) -> None:
    side, v = np.abs(grid.fu), grid.fv
    dark = np.array(one.skin) * [0.36, 0.25, 0.22]
    hole = bump(side, v, (one.nose_width * 0.52, one.nose_length + 0.055), (0.036, 0.02))
    paint(image, dark, 0.85 * np.clip(1.3 * hole, 0, 1))
    under = bump(grid.fu, v, (0, one.nose_length + 0.075), (one.nose_width * 0.8, 0.022))
    paint(image, np.array(one.skin) * [0.6, 0.46, 0.42], 0.45 * under)
    rim = np.hypot((side - one.nose_width * 0.8) / 0.062, (v - one.nose_length - 0.015) / 0.07)
    wing = np.exp(-0.5 * np.square((rim - 1) / 0.16)) * (side > one.nose_width * 0.85)
    paint(image, np.array(one.skin) * [0.62, 0.5, 0.46], 0.5 * wing)


def _paint_mouth(image: Array, one: Identity, pose: Pose, grid: HeadGrid, shade: Array) -> None:
    half = one.mouth_width * (1 + 0.12 * pose.smile - 0.1 * pose.mouth_open)
    x = grid.fu / half
    arc = np.clip(1 - x * x, 0, 1)
    middle = one.mouth_height - 0.06 * pose.smile * np.square(x)
    gap = 0.19 * pose.mouth_open * np.sqrt(arc)
    inner_top = middle - 0.18 * gap
    inner_bottom = middle + 0.82 * gap
    bow = 1 - 0.28 * np.exp(-0.5 * np.square(x / 0.16)) + 0.12 * np.cos(x * 5)
    top = inner_top - one.lip_top * bow * arc**0.75
    bottom = inner_bottom + one.lip_bottom * np.sqrt(arc)
    v, scale = grid.fv, grid.scale
    across = np.abs(x) < 1
    lips = inside(np.maximum(top - v, v - bottom), scale) * across
    lines = sample(one.pore_texture, grid.fu * 190, v * 24 + 40)
    light = np.where(v > middle + gap * 0.4, 1.06, 0.84) + 0.035 * lines
    plump = bump(grid.fu, v, (0.0, one.mouth_height + 0.82 * 0.19 * pose.mouth_open + 0.04),
                 (half * 0.4, 0.022))  # fmt: skip
    paint(image, light * shade * planes(one.lips) + 26 * plump, 0.88 * lips)
    hole = inside(np.maximum(inner_top - v, v - inner_bottom), scale) * across
    paint(image, (48.0, 18.0, 20.0), hole * np.clip(gap * scale, 0, 1))
    teeth = hole * np.clip((inner_top + 0.075 - v) * scale, 0, 1) * (np.abs(x) < 0.72)
    gaps = 0.93 + 0.07 * np.clip(np.abs(np.sin(grid.fu * 34)) * 4, 0, 1)
    enamel = gaps * np.clip(0.55 + 0.5 * arc, 0, 1) * planes([226, 220, 206])
    paint(image, enamel, teeth * np.clip(gap * scale * 0.5, 0, 1))
    tongue = hole * np.clip((v - inner_bottom + 0.06) * 14, 0, 1)
    paint(image, (150.0, 74.0, 74.0), 0.7 * tongue)
    seam = np.exp(-0.5 * np.square((v - inner_top) / 0.014)) * np.clip(arc * 4, 0, 1)
    paint(image, np.array(one.lips) * 0.38, 0.75 * seam)
    corner = bump(np.abs(x), v, (1.0, one.mouth_height - 0.06 * pose.smile), (0.09, 0.02))
    paint(image, np.array(one.skin) * 0.5, 0.55 * corner)
    chin_shadow = bump(grid.fu, v - bottom, (0.0, 0.045), (half * 0.6, 0.022))
    paint(image, np.array(one.skin) * 0.6, 0.35 * chin_shadow)
