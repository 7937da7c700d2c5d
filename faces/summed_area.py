from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray


class SummedAreaTables:
    """Means over rectangles of frames from four numbers each (Crow, SIGGRAPH 1984).

    Resizing equals torch's area interpolation up to the last bits of float32. Its cost depends on
    the size of the result only.

    Args:
        frames: n frames `[H, W, 3]` of one size, uint8. Their tables take 12 bytes per pixel.
    """

    def __init__(self, frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> None:
        self.height, self.width = frames[0].shape[:2]
        # Sums over more than 8 million pixels wrap around; differences of them are still right.
        size = (len(frames), self.height + 1, self.width + 1, 3)
        self._tables: NDArray[np.int32] = np.empty(size, dtype=np.int32)
        for frame, table in zip(frames, self._tables, strict=True):
            cv2.integral(frame, sum=table)

    def resized(self, height: int, width: int) -> NDArray[np.float32]:
        """Resize the frames: `[n, height, width, 3]`, 0 to 255."""
        (y0, y1), (x0, x1) = _bins(0, self.height, height), _bins(0, self.width, width)
        resized = np.empty((len(self._tables), height, width, 3), dtype=np.float32)
        areas = ((y1 - y0)[:, None] * (x1 - x0)).astype(np.float32)[..., None]
        for table, of_frame in zip(self._tables, resized, strict=True):
            rows = table.take(y1, axis=0) - table.take(y0, axis=0)
            np.divide(rows.take(x1, axis=1) - rows.take(x0, axis=1), areas, out=of_frame)
        return resized

    def cut(
        self, boxes: NDArray[np.int64], of_frame: NDArray[np.int64], side: int
    ) -> NDArray[np.float32]:
        """Crop rectangles and resize them to squares `[m, side, side, 3]`, 0 to 255.

        Boxes `[m, 4]` are x0, y0, x1, y1 within the frames `of_frame`, x1 and y1 excluded.
        """
        left, top, right, bottom = boxes.T[..., None]
        (y0, y1), (x0, x1) = _bins(top, bottom, side), _bins(left, right, side)
        pixels = self._tables.reshape(-1, 3)
        frame = of_frame[:, None, None] * (self.height + 1)

        def sums_before(y: NDArray[np.int64], x: NDArray[np.int64]) -> NDArray[np.int32]:
            return pixels.take((frame + y[:, :, None]) * (self.width + 1) + x[:, None], axis=0)

        sums = sums_before(y1, x1) - sums_before(y0, x1)
        sums += sums_before(y0, x0) - sums_before(y1, x0)
        areas = (y1 - y0)[:, :, None] * (x1 - x0)[:, None]
        return np.asarray(sums / areas[..., None].astype(np.float32), dtype=np.float32)


def _bins(
    start: NDArray[np.int64] | int, end: NDArray[np.int64] | int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the starts and ends of `count` bins over start ... end - 1, which may overlap by 1."""
    index, length = np.arange(count), end - start
    return start + index * length // count, start - (-(index + 1) * length // count)
