import cv2
import numpy as np
from numpy.typing import NDArray

# The frame is reduced to this side, in pixels, and divided into 4 x 4 regions.
_SIDE, _REGIONS, _BINS = 64, 4, 8
# Of 66 pairs of different clips of real people, 63 differ by more; successive frames of the clips,
# half a second apart, by 0.42 at most.
_CHANGED = 0.5


class CutFinder:
    """Find the cuts between sampled frames, by the change of the colours of their regions.

    Histogram intersection (Swain and Ballard, "Color Indexing", IJCV 1991). A cut between two
    similar pictures is not found.

    Attributes:
        cuts: Times of the frames after a cut, in seconds.
    """

    def __init__(self) -> None:
        self.cuts: list[float] = []
        self._last: NDArray[np.float64] | None = None

    def add(self, seconds: float, image: NDArray[np.uint8]) -> None:
        """Add the next frame `[H, W, 3]`."""
        colours = _colours(image)
        if self._last is not None:
            shared = np.minimum(colours, self._last).sum() / _REGIONS**2
            if 1 - shared > _CHANGED:
                self.cuts.append(seconds)
        self._last = colours


def _colours(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the histograms of the regions, `[regions, bins, bins, bins]`, of sum 1 each."""
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    red, green, blue = np.moveaxis(small.astype(np.int64) * _BINS // 256, 2, 0)
    place = np.arange(_SIDE) * _REGIONS // _SIDE
    region = place[:, None] * _REGIONS + place
    bins = ((region * _BINS + red) * _BINS + green) * _BINS + blue
    counts = np.bincount(bins.ravel(), minlength=_REGIONS**2 * _BINS**3)
    colours = counts.reshape(-1, _BINS, _BINS, _BINS) * (_REGIONS / _SIDE) ** 2
    # A colour near the border of two bins belongs to both.
    for axis in (1, 2, 3):
        padded = np.pad(colours, [(1, 1) if axis == a else (0, 0) for a in range(4)], "edge")
        before, same, after = (np.take(padded, range(s, s + _BINS), axis) for s in range(3))
        colours = before / 4 + same / 2 + after / 4
    return np.asarray(colours)
