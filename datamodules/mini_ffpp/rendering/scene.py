from dataclasses import dataclass

import cv2
import numpy as np

from datamodules.mini_ffpp.rendering.head import MARGIN, HeadGrid
from datamodules.mini_ffpp.rendering.identity import Identity
from datamodules.mini_ffpp.rendering.painting import (
    Array,
    Colour,
    Light,
    inside,
    noise_texture,
    paint,
    planes,
    sample,
)

COLLARS = ("round", "v", "shirt")


@dataclass(frozen=True)
class Scene:
    """Background, light, clothes and camera noise of one video.

    `background` is `[3, size, size]`; the standard deviations of the noise are in grey levels.
    """

    background: Array
    light: Light
    warmth: Colour
    exposure: float
    cloth: Colour
    collar: str
    stripes: float
    cloth_texture: Array
    sharpness: float
    sensor_noise: float
    grain: float


def sample_scene(rng: np.random.Generator, size: int) -> Scene:
    """Draw the scene of one video."""
    angle, height = rng.uniform(-1.1, 1.1), rng.uniform(0.2, 0.75)
    light = np.array([np.sin(angle) * 0.75, -height, 0.9])
    light /= np.linalg.norm(light)
    warmth = rng.uniform(-0.06, 0.08)
    cloth = rng.uniform(25, 200) + rng.normal(0, 24, 3)
    return Scene(
        background=_background(rng, size),
        light=(float(light[0]), float(light[1]), float(light[2])),
        warmth=(1 + warmth, 1.0, 1 - warmth),
        exposure=float(rng.uniform(0.86, 1.06)),
        cloth=tuple(np.clip(cloth, 12, 235)),
        collar=COLLARS[rng.integers(len(COLLARS))],
        stripes=float(rng.uniform(6, 18)) if rng.random() < 0.25 else 0.0,
        cloth_texture=noise_texture(rng, 256, 1.0),
        sharpness=float(rng.uniform(0.35, 0.7)),
        sensor_noise=float(rng.uniform(1.0, 3.2)),
        grain=float(rng.uniform(1.0, 2.2)),
    )


def _background(rng: np.random.Generator, size: int) -> Array:
    """Draw a wall, a room out of focus or foliage, `[3, size, size]`."""
    kind = rng.integers(3)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    base = np.clip(rng.uniform(50, 200) + rng.normal(0, 22, 3), 20, 230).astype(np.float32)
    slope = rng.uniform(-0.35, 0.35, 2)
    image = base * (1 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5))[..., None]
    texture = cv2.resize(noise_texture(rng, 256, 1.3), (size, size))
    if kind == 0:
        image *= (1 + rng.uniform(0.01, 0.05) * texture)[..., None]
    elif kind == 1:
        for _ in range(rng.integers(8, 22)):
            left, top = rng.uniform(-0.2, 1.0, 2)
            width, height = rng.uniform(0.04, 0.4, 2)
            colour = np.clip(base * rng.uniform(0.4, 1.5) + rng.normal(0, 22, 3), 10, 245)
            corners = np.array([left, top, left + width, top + height]) * size
            x0, y0, x1, y1 = (int(value) for value in corners)
            cv2.rectangle(image, (x0, y0), (x1, y1), colour.tolist(), -1)
        image = cv2.GaussianBlur(image, (0, 0), size * rng.uniform(0.004, 0.02))
        image *= (1 + 0.02 * texture)[..., None]
    else:
        grey = image.mean(axis=2, keepdims=True)
        leaf = np.array([rng.uniform(0.65, 0.95), 0.95, rng.uniform(0.45, 0.75)], dtype=np.float32)
        image = grey * leaf * np.clip(1 + 0.22 * texture, 0.3, 1.8)[..., None]
        image = cv2.GaussianBlur(image, (0, 0), size * rng.uniform(0.003, 0.012))
    return np.clip(image, 4, 250).astype(np.float32).transpose(2, 0, 1).copy()


def paint_body(image: Array, identity: Identity, scene: Scene, grid: HeadGrid) -> None:
    """Paint neck, shoulders and clothes."""
    below_chin = (grid.v[:, [0, -1]] > 0.6 - MARGIN / grid.scale).any(axis=1)
    window = slice(int(np.argmax(below_chin)), None), slice(None)
    image, grid = image[(..., *window)], grid.crop(window)
    u, v = grid.u, grid.v
    neck_width = 0.5 * identity.width + 0.04 * np.square(np.clip(v - 1.2, 0, None) * 3)
    side_light = np.float32(scene.light[0])
    round_shade = np.clip(1 - 0.3 * np.square(u / 0.55) + 0.3 * side_light * u, 0.3, 1.2)
    jaw_shadow = 0.58 + 0.34 * np.clip((v - identity.chin + 0.05) / 0.5, 0, 1)
    neck = round_shade * jaw_shadow * planes(identity.skin)
    shoulders = 1.62 + 0.22 * np.abs(u) ** 1.5 + 0.25 * np.clip(np.abs(u) - 1.5, 0, None) ** 2
    paint(image, neck, inside(np.maximum(np.abs(u) - neck_width, 0.6 - v), grid.scale))
    if scene.collar == "round":
        opening = v - 1.62 - 0.16 * np.sqrt(np.clip(1 - np.square(u / 0.62), 0, 1))
    else:
        depth = 0.62 if scene.collar == "v" else 0.42
        opening = v - 1.60 - depth * np.clip(1 - np.abs(u) / 0.56, 0, 1)
    skin_chest = inside(np.maximum(np.maximum(np.abs(u) - 0.62, 1.5 - v), opening), grid.scale)
    folds = sample(scene.cloth_texture, u * 34, v * 12)
    weave = sample(scene.cloth_texture, u * 260, v * 260)
    tone = 1 + 0.10 * folds + 0.05 * weave + 0.18 * side_light * u - 0.12 * (v - 1.7)
    if scene.stripes:
        tone = tone * (1 - 0.22 * (np.sin(v * scene.stripes + 0.6 * folds) > 0.3))
    fabric = np.clip(tone, 0.2, 1.6) * planes(scene.cloth)
    paint(image, fabric, inside(shoulders - v, grid.scale * 0.8))
    paint(image, neck * np.float32(1.05), skin_chest * inside(np.abs(u) - 0.62, grid.scale))
    rim = np.exp(-0.5 * np.square(opening / 0.035)) * (np.abs(u) < 0.62) * (v > 1.55)
    lapel = 1.25 if scene.collar == "shirt" else 0.72
    paint(image, np.clip(np.array(scene.cloth) * lapel, 0, 250), 0.8 * rim)
