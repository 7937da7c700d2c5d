from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faces.boxes import Boxes, drop_nested, make_square, shift_edges, suppress_overlaps
from faces.summed_area import SummedAreaTables
from faces.tracks import Detection

Images = NDArray[np.float32]
Indices = NDArray[np.int64]
Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]

# Side of the smallest face that MTCNN detects, in pixels.
SMALLEST_FACE = 20
# P-Net classifies windows of 12 px, one every second pixel.
_WINDOW = 12
_STRIDE = 2
_PYRAMID = 0.709
_CANDIDATE, _REFINED, _FACE = 0.6, 0.7, 0.7
_OVERLAP_IN_LEVEL = 0.5
_OVERLAP = 0.7
# P-Net's first maps of this many pixels take 40 MB.
_PIXELS_PER_CALL = 2**20


class FaceNetworks(Protocol):
    """The three networks of MTCNN on some runtime and device."""

    @property
    def pixels_per_batch(self) -> int:
        """How many pixels of frames to pass through the cascade at once."""

    @property
    def squares_per_call(self) -> int:
        """How many squares to pass to R-Net or O-Net at once."""

    def run(self, name: str, images: Images) -> Outputs:
        """Run a network on images `[n, h, w, 3]` RGB, 0 to 255, which it normalizes.

        Args:
            name: "p_net", "r_net" (squares of 24 px) or "o_net" (squares of 48 px).
            images: Images, or squares.

        Returns:
            Shifts of the box's edges, in units of its sides, `[n, 4]`, and probabilities of a face,
            `[n]`; of P-Net `[n, 4, rows, columns]` and `[n, rows, columns]`.
        """


class FaceCascade:
    """MTCNN, coarse to fine: candidates in reduced frames, refined at full resolution.

    Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
    Networks" (2016), with the thresholds and box arithmetic of facenet-pytorch. P-Net processes a
    pyramid whose first level shows the smallest face at 12 px. R-Net and O-Net process squares of
    the original frame. Each stage processes all frames at once.
    """

    def __init__(self, networks: FaceNetworks) -> None:
        self._networks = networks

    def detect(
        self, frames: Mapping[int, NDArray[np.uint8]], min_face: float
    ) -> dict[int, list[Detection]]:
        """Return the faces of frames `[H, W, 3]` of one size, RGB, the most probable first.

        `min_face` is the side of the smallest face to detect, in pixels; at least `SMALLEST_FACE`.
        """
        found: dict[int, list[Detection]] = {}
        numbers = list(frames)
        height, width = frames[numbers[0]].shape[:2] if numbers else (1, 1)
        step = max(1, self._networks.pixels_per_batch // (height * width))
        for start in range(0, len(numbers), step):
            batch = numbers[start : start + step]
            tables = SummedAreaTables([frames[number] for number in batch])
            boxes, of_frame = self._faces(tables, max(min_face, SMALLEST_FACE))
            for index, number in enumerate(batch):
                faces = drop_nested(boxes[of_frame == index].astype(np.float64), _OVERLAP)
                # Rounded so that crops do not depend on the last bits of float32 sums.
                found[number] = [Detection(f[:4].round(2), round(float(f[4]), 4)) for f in faces]
            # Free them, 25 MB in full HD, before the next ones are allocated.
            del tables
        return found

    def _faces(self, tables: SummedAreaTables, min_face: float) -> tuple[Boxes, Indices]:
        """Return the faces `[m, 5]` of all frames and `[m]` the indices of their frames."""
        boxes, of_frame = self._candidates(tables, min_face)
        boxes, of_frame, shifts = self._classify("r_net", 24, _REFINED, tables, boxes, of_frame)
        kept = suppress_overlaps(boxes, of_frame, _OVERLAP)
        boxes, of_frame = shift_edges(boxes[kept], shifts[kept], margin=1), of_frame[kept]
        boxes, of_frame, shifts = self._classify("o_net", 48, _FACE, tables, boxes, of_frame)
        return shift_edges(boxes, shifts, margin=1), of_frame

    def _candidates(self, tables: SummedAreaTables, min_face: float) -> tuple[Boxes, Indices]:
        """Return windows that may hold a face, as `_faces` does."""
        found = [np.zeros((0, 9), dtype=np.float32)]
        of_frames = [np.zeros(0, dtype=np.int64)]
        for scale, level in _pyramid(tables, min_face):
            per_call = max(1, _PIXELS_PER_CALL // level[0, ..., 0].size)
            windows, of_frame = _windows(*self._run("p_net", level, per_call), scale)
            kept = suppress_overlaps(windows, of_frame, _OVERLAP_IN_LEVEL)
            found.append(windows[kept])
            of_frames.append(of_frame[kept])
        windows, of_frame = np.concatenate(found), np.concatenate(of_frames)
        kept = suppress_overlaps(windows, of_frame, _OVERLAP)
        return shift_edges(windows[kept, :5], windows[kept, 5:]), of_frame[kept]

    def _classify(
        self,
        network: str,
        side: int,
        threshold: float,
        tables: SummedAreaTables,
        boxes: Boxes,
        of_frame: Indices,
    ) -> tuple[Boxes, Indices, NDArray[np.float32]]:
        """Classify candidates, made square, at full resolution.

        Return boxes `[k, 5]`, frames `[k]` and shifts `[k, 4]` of those that pass.
        """
        boxes = make_square(boxes)
        edges = boxes[:, :4].astype(np.int64)
        edges[:, :2] = np.maximum(edges[:, :2], 1) - 1
        edges[:, 2:] = np.minimum(edges[:, 2:], [tables.width, tables.height])
        is_inside = (edges[:, :2] < edges[:, 2:]).all(axis=1)
        boxes, of_frame = boxes[is_inside], of_frame[is_inside]
        squares = tables.cut(edges[is_inside], of_frame, side)
        shifts, probabilities = self._run(network, squares, self._networks.squares_per_call)
        passed = probabilities > threshold
        boxes = np.hstack((boxes[passed, :4], probabilities[passed, None]))
        return boxes, of_frame[passed], shifts[passed]

    def _run(self, network: str, images: Images, per_call: int) -> Outputs:
        outputs = [
            self._networks.run(network, images[start : start + per_call])
            for start in range(0, len(images), per_call)
        ]
        none = (np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32))
        shifts, probabilities = zip(*(outputs or [none]), strict=True)
        return np.concatenate(shifts), np.concatenate(probabilities)


def _pyramid(tables: SummedAreaTables, min_face: float) -> Iterator[tuple[float, Images]]:
    """Yield the scale and the resized frames of each level, down to P-Net's window."""
    height, width = tables.height, tables.width
    scale = _WINDOW / SMALLEST_FACE
    while min(height, width) * scale >= _WINDOW:
        if min_face * scale <= _WINDOW:
            yield scale, tables.resized(int(height * scale + 1), int(width * scale + 1))
        scale *= _PYRAMID


def _windows(
    shifts: NDArray[np.float32], probabilities: NDArray[np.float32], scale: float
) -> tuple[Boxes, Indices]:
    """Return the windows of a level that pass, `[m, 9]` with shifts, and `[m]` their frames."""
    frame, row, column = np.nonzero(probabilities >= _CANDIDATE)
    corner = np.stack((column, row), axis=1) * _STRIDE
    boxes = np.hstack((corner + 1, corner + _WINDOW)).astype(np.float32)
    boxes = np.floor(boxes / np.float32(scale))
    probability = probabilities[frame, row, column, None]
    return np.hstack((boxes, probability, shifts[frame, :, row, column])), frame
