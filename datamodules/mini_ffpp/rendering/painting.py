"""Drawing operations: layers, antialiased edges and noise textures.

Images are planar while they are painted, `[3, H, W]`: operations on whole planes are faster.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
FloatArray = NDArray[np.floating]
Colour = tuple[float, float, float]
Light = tuple[float, float, float]
"""The unit vector to the light: right, down, towards the viewer."""


def planes(colour: Sequence[float]) -> Array:
    """Return a colour as an image `[3, 1, 1]`."""
    return np.array(colour, dtype=np.float32)[:, None, None]


def paint(image: Array, colour: FloatArray | Sequence[float], alpha: FloatArray) -> None:
    """Blend a colour into the image, in place.

    Args:
        image: `[3, H, W]`, 0 to 255.
        colour: One RGB colour, or an image of the same shape.
        alpha: `[H, W]` opacity, 0 to 1.
    """
    layer = np.asarray(colour, dtype=np.float32)
    image += alpha * ((layer if layer.ndim == 3 else layer[:, None, None]) - image)


def inside(distance: FloatArray, scale: float) -> Array:
    """Return the opacity of a shape, whose edge is one pixel wide.

    Args:
        distance: `[H, W]` signed distance to the edge in head units, negative inside.
        scale: Pixels per head unit.
    """
    return np.clip(0.5 - distance * scale, 0.0, 1.0).astype(np.float32)


def bump(u: Array, v: Array, centre: tuple[float, float], widths: tuple[float, float]) -> Array:
    """Return a Gaussian of height 1 with the given centre and standard deviations."""
    x = (u - centre[0]) * (1.0 / widths[0])
    y = (v - centre[1]) * (1.0 / widths[1])
    return np.exp(-0.5 * (x * x + y * y))


def noise_texture(rng: np.random.Generator, size: int, exponent: float) -> Array:
    """Return a seamless noise tile whose amplitudes fall as frequency to the `-exponent`.

    Returns:
        `[size, size]` with mean 0 and standard deviation 1.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * _amplitudes(size, exponent)
    spectrum[0, 0] = 0.0
    tile = np.fft.irfft2(spectrum, s=(size, size)).astype(np.float32)
    return tile / tile.std()


@cache
def _amplitudes(size: int, exponent: float) -> NDArray[np.float64]:
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    return np.asarray(frequency**-exponent)


def strand_texture(rng: np.random.Generator, size: int) -> Array:
    """Return a tile of strands along its rows, for hair and brows, with standard deviation 1."""
    grain = rng.standard_normal((size, size)).astype(np.float32)
    fine = cv2.GaussianBlur(grain, (0, 0), sigmaX=14, sigmaY=0.7, borderType=cv2.BORDER_REFLECT)
    coarse = cv2.GaussianBlur(grain, (0, 0), sigmaX=24, sigmaY=2.5, borderType=cv2.BORDER_REFLECT)
    tile = fine / fine.std() + coarse / coarse.std()
    return tile / tile.std()


def sample(texture: Array, x: FloatArray, y: FloatArray) -> Array:
    """Sample a texture, repeated in mirror images, at `[H, W]` coordinates in its pixels."""
    sampled = cv2.remap(
        texture,
        x.astype(np.float32),
        y.astype(np.float32),
        interpolation=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(sampled, dtype=np.float32)
