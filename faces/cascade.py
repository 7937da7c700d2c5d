from collections.abc import Iterator, Sequence

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.ops import batched_nms

from faces.summed_area import SummedAreaTables

Frames = Sequence[NDArray[np.uint8]] | NDArray[np.uint8]

# MTCNN looks for nothing below it, pixels.
SMALLEST_FACE = 20
# P-Net sees windows of 12 px, one every second pixel.
_WINDOW = 12
_STRIDE = 2
_PYRAMID = 0.709
_CANDIDATE, _REFINED, _FACE = 0.6, 0.7, 0.7
_OVERLAP_IN_LEVEL = 0.5
_OVERLAP = 0.7
# P-Net's first maps of so many pixels take 40 MB.
_PIXELS_PER_CALL = 2**20
# A CPU is twice as quick with maps that stay in its cache; a GPU wants many at a time.
_SQUARES_ON_CPU, _SQUARES_PER_CALL = 32, 512


class FaceCascade(nn.Module):
    """MTCNN, coarse to fine: candidates in reduced frames, refined at full resolution.

    Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
    Networks" (2016), with the networks, weights, thresholds and box arithmetic of facenet-pytorch.
    P-Net goes over a pyramid that begins where the smallest face wanted is 12 px wide, each level
    made of the one before; R-Net and O-Net look at squares cut out of the frame as it is. Each
    stage takes all frames at once. The resizing is OpenCV's, of uint8: on float32 frames of full
    size it took two thirds of the time.
    """

    def __init__(self) -> None:
        super().__init__()
        # In this order of memory max pooling on a CPU is 5 to 10 times as fast.
        self.pnet = PNet().to(memory_format=torch.channels_last)
        self.rnet = RNet().to(memory_format=torch.channels_last)
        self.onet = ONet().to(memory_format=torch.channels_last)

    @property
    def _device(self) -> torch.device:
        return self.pnet.conv1.weight.device

    @torch.inference_mode()
    def forward(self, frames: Frames, min_face: float) -> list[NDArray[np.float64]]:
        """Detect all faces.

        Args:
            frames: n frames `[H, W, 3]` of one size, RGB uint8.
            min_face: Side of the smallest face to look for, pixels.

        Returns:
            For each frame `[faces, 5]`: x0, y0, x1, y1 in pixels and the probability.
        """
        tables = SummedAreaTables(frames)
        boxes, of_frame = self._candidates(tables, min_face)

        boxes, of_frame, shifts = self._look(self.rnet, 24, _REFINED, tables, boxes, of_frame)
        kept = batched_nms(boxes[:, :4], boxes[:, 4], of_frame, _OVERLAP)
        boxes, of_frame = _shifted(boxes[kept], shifts[kept]), of_frame[kept]

        boxes, of_frame, shifts = self._look(self.onet, 48, _FACE, tables, boxes, of_frame)
        boxes = _shifted(boxes, shifts)
        return [
            _without_nested(boxes[of_frame == index].double().numpy())
            for index in range(len(frames))
        ]

    def _candidates(self, tables: SummedAreaTables, min_face: float) -> tuple[Tensor, Tensor]:
        """Find windows that may hold a face: `[m, 5]` boxes with scores, `[m]` their frames."""
        boxes, of_frame = [torch.zeros(0, 9)], [torch.zeros(0, dtype=torch.int64)]
        for scale, level in _pyramid(tables, min_face):
            step = max(1, _PIXELS_PER_CALL // (level.shape[1] * level.shape[2]))
            for start in range(0, len(level), step):
                shifts, scores = self.pnet(self._input(level[start : start + step]))
                windows, in_call = _windows(shifts.cpu(), scores[:, 1].cpu(), scale)
                kept = batched_nms(windows[:, :4], windows[:, 4], in_call, _OVERLAP_IN_LEVEL)
                boxes.append(windows[kept])
                of_frame.append(in_call[kept] + start)
        every, of = torch.cat(boxes), torch.cat(of_frame)
        kept = batched_nms(every[:, :4], every[:, 4], of, _OVERLAP)
        every, of = every[kept], of[kept]
        every[:, :4] += every[:, 5:] * (every[:, 2:4] - every[:, :2]).repeat(1, 2)
        return every[:, :5], of

    def _look(
        self,
        network: nn.Module,
        side: int,
        threshold: float,
        tables: SummedAreaTables,
        boxes: Tensor,
        of_frame: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Look at candidates at full resolution and keep those that pass, made square.

        Returns:
            `[k, 5]` boxes with the network's probability, `[k]` their frames, and `[k, 4]` how
            the network would shift their edges, in units of their sides.
        """
        boxes = _squared(boxes)
        squares, are_inside = _cut_squares(tables, boxes, of_frame, side)
        boxes, of_frame = boxes[are_inside], of_frame[are_inside]
        shifts, probabilities = [torch.zeros(0, 4)], [torch.zeros(0)]
        step = _SQUARES_ON_CPU if self._device.type == "cpu" else _SQUARES_PER_CALL
        for start in range(0, len(squares), step):
            outputs = network(self._input(squares[start : start + step]))
            shifts.append(outputs[0].cpu())
            probabilities.append(outputs[-1][:, 1].cpu())
        probability = torch.cat(probabilities)
        passed = probability > threshold
        found = torch.cat((boxes[passed, :4], probability[passed, None]), dim=1)
        return found, of_frame[passed], torch.cat(shifts)[passed]

    def _input(self, images: NDArray[np.float32]) -> Tensor:
        """`[n, h, w, 3]` to what the networks take; the order of memory stays."""
        on_device = torch.from_numpy(images).to(self._device)
        return (on_device.permute(0, 3, 1, 2) - 127.5) * 0.0078125


def _pyramid(
    tables: SummedAreaTables, min_face: float
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Reduce the frames step by step: scale and `[n, h, w, 3]`, down to P-Net's window."""
    height, width = tables.height, tables.width
    scale = _WINDOW / SMALLEST_FACE
    while min(height, width) * scale >= _WINDOW:
        if min_face * scale <= _WINDOW:
            size = (int(height * scale + 1), int(width * scale + 1))
            yield scale, tables.resized(*size)
        scale *= _PYRAMID


def _windows(shifts: Tensor, scores: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Windows of one level that pass: `[m, 9]` box, score and shifts, `[m]` their frames."""
    frame, row, column = (scores >= _CANDIDATE).nonzero(as_tuple=True)
    corner = torch.stack((column, row), dim=1) * _STRIDE
    boxes = torch.cat((corner + 1, corner + _WINDOW), dim=1).float().div(scale).floor()
    score = scores[frame, row, column, None]
    return torch.cat((boxes, score, shifts[frame, :, row, column]), dim=1), frame


def _squared(boxes: Tensor) -> Tensor:
    """Make boxes square around their centres, as wide as their longer sides."""
    side = (boxes[:, 2:4] - boxes[:, :2]).amax(dim=1, keepdim=True)
    corner = (boxes[:, :2] + boxes[:, 2:4] - side) / 2
    return torch.cat((corner, corner + side, boxes[:, 4:]), dim=1)


def _shifted(boxes: Tensor, shifts: Tensor) -> Tensor:
    """Move the boxes' edges as the network says; its pixels' edges count, hence the + 1."""
    sides = (boxes[:, 2:4] - boxes[:, :2] + 1).repeat(1, 2)
    return torch.cat((boxes[:, :4] + shifts * sides, boxes[:, 4:]), dim=1)


def _cut_squares(
    tables: SummedAreaTables, boxes: Tensor, of_frame: Tensor, side: int
) -> tuple[NDArray[np.float32], Tensor]:
    """Cut the boxes out of their frames, as far as they lie in them.

    Returns:
        `[k, side, side, 3]`, and `[m]` which of the boxes lie in their frame at all.
    """
    edges = boxes[:, :4].trunc().long().numpy()
    edges[:, :2] = np.maximum(edges[:, :2], 1) - 1
    edges[:, 2:] = np.minimum(edges[:, 2:], [tables.width, tables.height])
    are_inside = torch.from_numpy((edges[:, :2] < edges[:, 2:]).all(axis=1))
    return tables.cut(edges[are_inside], of_frame[are_inside].numpy(), side), are_inside


def _without_nested(faces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drop faces that mostly lie in a more probable one; the most probable come first."""
    kept: list[NDArray[np.float64]] = []
    for face in faces[np.argsort(-faces[:, 4], kind="stable")]:
        if all(_share_in_smaller(face, other) <= _OVERLAP for other in kept):
            kept.append(face)
    return np.array(kept).reshape(-1, 5)


def _share_in_smaller(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    sides = np.minimum(one[2:4], other[2:4]) - np.maximum(one[:2], other[:2]) + 1
    if (sides <= 0).any():
        return 0.0
    areas = [np.prod(box[2:4] - box[:2] + 1) for box in (one, other)]
    return float(np.prod(sides) / min(areas))
