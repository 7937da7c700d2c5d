import cv2
import numpy as np

from datamodules.mini_ffpp.alignment import Array, in_rgb


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
    """Reduce a patch by a factor, and enlarge it again."""
    size = patch.shape[0]
    small = max(8, round(size / max(factor, 1.0)))
    if small >= size:
        return patch
    reduced = cv2.resize(patch, (small, small), interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(reduced, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, dtype=np.float32)


def poisson(patch: Array, background: Array, mask: Array) -> Array:
    """Blend by Poisson's equation: gradients of the patch, border of the background.

    Source: Perez et al., "Poisson Image Editing", 2003, as in OpenCV's seamlessClone.
    """
    binary = (mask > 0.5).astype(np.uint8) * 255
    x, y, width, height = cv2.boundingRect(binary)
    centre = (x + width // 2, y + height // 2)
    inner, outer = (np.clip(image, 0, 255).astype(np.uint8) for image in (patch, background))
    cloned = cv2.seamlessClone(inner, outer, binary, centre, cv2.NORMAL_CLONE)
    return np.asarray(cloned, dtype=np.float32)


def blend_bands(patch: Array, background: Array, mask: Array, levels: int = 4) -> Array:
    """Blend each octave with its own width of the seam.

    Source: Burt and Adelson, "A Multiresolution Spline With Application to Image Mosaics", 1983.
    """
    inner, outer, seam = patch, background, in_rgb(mask)
    bands = []
    for _ in range(levels):
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
