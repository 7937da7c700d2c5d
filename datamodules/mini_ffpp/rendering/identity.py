from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from datamodules.mini_ffpp.rendering.painting import Array, Colour, noise_texture, strand_texture

TEXTURE_SIZE = 256
SKIN_TONES = np.array(
    [[243, 211, 190], [228, 186, 156], [208, 160, 126], [176, 124, 90], [133, 88, 62], [92, 59, 43]]
)
HAIR_COLOURS = np.array(
    [[32, 26, 24], [58, 40, 30], [92, 63, 42], [134, 98, 60], [184, 148, 96], [112, 52, 30],
     [138, 134, 130]]
)  # fmt: skip
IRIS_COLOURS = np.array(
    [[74, 48, 30], [104, 72, 40], [92, 104, 66], [84, 118, 142], [110, 124, 132]]
)
HAIR_STYLES = ("short", "short", "fringe", "long", "long", "receding", "bald")


def _normal(mean: float, deviation: float) -> Any:
    return field(metadata={"normal": (mean, deviation)})


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The appearance of a rendered person. Lengths are in head units.

    A head unit is half the width of an average face; the origin is between the eyes and the nose,
    u points to the right of the image and v down. The first properties are normally distributed.
    """

    width: float = _normal(0.95, 0.05)
    chin: float = _normal(1.27, 0.06)
    jaw: float = _normal(2.3, 0.22)
    crown: float = _normal(1.42, 0.06)
    eye_distance: float = _normal(0.385, 0.022)
    eye_height: float = _normal(-0.13, 0.025)
    eye_width: float = _normal(0.185, 0.013)
    eye_opening: float = _normal(0.43, 0.06)
    eye_tilt: float = _normal(0.06, 0.07)
    brow_height: float = _normal(0.245, 0.025)
    brow_arch: float = _normal(0.06, 0.03)
    brow_thickness: float = _normal(0.05, 0.012)
    nose_length: float = _normal(0.33, 0.035)
    nose_width: float = _normal(0.15, 0.02)
    nose_bridge: float = _normal(0.2, 0.05)
    mouth_height: float = _normal(0.68, 0.03)
    mouth_width: float = _normal(0.315, 0.03)
    lip_top: float = _normal(0.07, 0.015)
    lip_bottom: float = _normal(0.095, 0.018)
    cheekbone: float = _normal(0.06, 0.025)
    age: float
    beard: float
    freckles: float
    skin: Colour
    lips: Colour
    hair: Colour
    iris: Colour
    hair_style: str
    hairline: float
    hair_volume: float
    parting: float
    gloss: float
    skin_texture: Array
    pore_texture: Array
    hair_texture: Array


def sample_identity(rng: np.random.Generator, tone: float) -> Identity:
    """Draw a person.

    Args:
        rng: Draws every property.
        tone: Skin tone, 0 (light) to 1 (dark).
    """
    return Identity(
        **sample_looks(rng, tone),
        skin_texture=noise_texture(rng, TEXTURE_SIZE, 1.4),
        pore_texture=noise_texture(rng, TEXTURE_SIZE, 0.35),
        hair_texture=strand_texture(rng, TEXTURE_SIZE),
    )


def sample_looks(rng: np.random.Generator, tone: float) -> dict[str, Any]:
    """Draw a person's properties by name, without the textures; see `sample_identity`."""
    skin = _blend(SKIN_TONES, tone) * rng.normal(1.0, 0.03, 3)
    dark_haired = rng.random() < 0.25 + tone
    hair = HAIR_COLOURS[rng.integers(2) if dark_haired else rng.integers(len(HAIR_COLOURS))]
    lips = skin * np.array([0.86, 0.62, 0.62]) + rng.normal(0, 5, 3) + [8, 0, 2]
    style = HAIR_STYLES[rng.integers(len(HAIR_STYLES))]
    bearded = style != "long" and rng.random() < 0.4

    def around(mean: float, deviation: float) -> float:
        return float(mean + deviation * np.clip(rng.standard_normal(), -1.8, 1.8))

    shape = {
        part.name: around(*part.metadata["normal"]) for part in fields(Identity) if part.metadata
    }
    return shape | {
        "age": float(rng.random()),
        "beard": float(rng.uniform(0.25, 0.9)) if bearded else 0.0,
        "freckles": float(rng.uniform(0.3, 1.0)) if rng.random() < 0.25 else 0.0,
        "skin": _colour(skin),
        "lips": _colour(lips),
        "hair": _colour(hair * rng.normal(1.0, 0.08)),
        "iris": _colour(IRIS_COLOURS[0 if dark_haired else rng.integers(len(IRIS_COLOURS))]),
        "hair_style": style,
        "hairline": around(-0.82, 0.06),
        "hair_volume": around(0.14, 0.04),
        "parting": around(0.0, 0.3),
        "gloss": float(rng.uniform(0.04, 0.16)),
    }


def _blend(palette: np.ndarray, share: float) -> np.ndarray:
    steps = np.linspace(0, 1, len(palette))
    return np.array([np.interp(share, steps, palette[:, channel]) for channel in range(3)])


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = (float(value) for value in np.clip(values, 4, 250))
    return red, green, blue
