import cv2
import numpy as np

from datamodules.mini_ffpp.alignment import Array, in_rgb, patch_grid

LUMA = np.array([0.299, 0.587, 0.114])
OCTAVES = 4


class ColourMatch:
    """Match the mean and standard deviation of each colour channel to those of another patch.

    Source: Reinhard et al., "Color Transfer between Images", 2001, in RGB instead of l-alpha-beta.

    Args:
        mask: `[P, P]`, weights of the pixels.
        error: Remaining share of the difference, 0 for a perfect match.
    """

    def __init__(self, mask: Array, error: float) -> None:
        self.error = error
        self.pixels = np.flatnonzero(mask)
        self.weights = (mask / mask.sum()).ravel()[self.pixels]

    def __call__(self, patch: Array, reference: Array) -> Array:
        """Return `patch` `[P, P, 3]` in the colours of `reference`, of the same shape."""
        mean, deviation = self._moments(patch)
        wanted_mean, wanted_deviation = self._moments(reference)
        gain = np.clip(wanted_deviation / np.maximum(deviation, 1), 0.6, 1.6)
        # Rows of pixels: NumPy is slow with a last axis of length 3.
        rows, columns = patch.reshape(len(patch), -1), patch.shape[1]
        matched = (rows - np.tile(mean, columns)) * np.tile(gain, columns)
        matched += np.tile(wanted_mean, columns)
        return np.asarray(matched + self.error * (rows - matched)).reshape(patch.shape)

    def _moments(self, patch: Array) -> tuple[Array, Array]:
        pixels = patch.reshape(-1, 3)[self.pixels].T.copy()
        mean = self._mean(pixels)
        return mean, np.sqrt(self._mean(np.square(pixels - mean[:, None])))

    def _mean(self, pixels: Array) -> Array:
        # Summed in order: the rounding of NumPy's sum depends on the layout of the array.
        return np.asarray(np.add.accumulate(pixels * self.weights, axis=1)[:, -1])


def reduce_and_enlarge(patch: Array, factor: float) -> Array:
    """Reduce a patch by a factor of at least 1, and enlarge it again."""
    size = patch.shape[0]
    small = round(size / factor)
    reduced = cv2.resize(patch, (small, small), interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(reduced, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, dtype=np.float32)


def relight(patch: Array, reference: Array, scale: float) -> Array:
    """Give a patch the light and colour of another beyond `scale` pixels."""
    smooth = cv2.GaussianBlur(reference - patch, (0, 0), scale)
    return np.asarray(patch + smooth, dtype=np.float32)


class Tint:
    """A smooth error of hue across the face, as of an estimated light; grey keeps its luma.

    Args:
        rng: Draws hue and direction.
        error: Largest relative change of a channel.
    """

    def __init__(self, rng: np.random.Generator, error: float) -> None:
        u, v = patch_grid()
        hue = rng.normal(size=3)
        hue -= hue @ LUMA
        hue /= np.abs(hue).max()
        angle = rng.uniform(0, 2 * np.pi)
        offset = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.0)
        slope = np.cos(angle) * u / 0.8 + np.sin(angle) * (v - 0.3) / 0.9
        self.change = (error * (offset + 0.5 * slope)[..., None] * hue).astype(np.float32)

    def __call__(self, patch: Array) -> Array:
        """Tint the smooth light of a patch, which leaves no trace in its details."""
        return np.asarray(patch + self.change * cv2.GaussianBlur(patch, (0, 0), 3))


def blend_bands(patch: Array, background: Array, mask: Array) -> Array:
    """Blend each octave with its own width of the seam.

    Source: Burt and Adelson, "A Multiresolution Spline With Application to Image Mosaics", 1983.
    """
    inner, outer, seam = patch, background, in_rgb(mask)
    bands = []
    for _ in range(OCTAVES):
        size = (inner.shape[1], inner.shape[0])
        inner_low, outer_low, seam_low = (_halve(image) for image in (inner, outer, seam))
        inner_band = inner - cv2.pyrUp(inner_low, dstsize=size)
        outer_band = outer - cv2.pyrUp(outer_low, dstsize=size)
        bands.append(outer_band + seam * (inner_band - outer_band))
        inner, outer, seam = inner_low, outer_low, seam_low
    result = outer + seam * (inner - outer)
    for band in reversed(bands):
        result = cv2.pyrUp(result, dstsize=(band.shape[1], band.shape[0])) + band
    return np.asarray(result, dtype=np.float32)


def _halve(image: Array) -> Array:
    return np.asarray(cv2.pyrDown(image), dtype=np.float32)
