from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from faces.cascade import FaceCascade
from faces.summed_area import SummedAreaTables

ReadFrames = Callable[[Path, int], dict[int, NDArray[np.uint8]]]


def of_torch(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    batch = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None].float()
    resized = interpolate(batch, size=(height, width), mode="area")
    return resized[0].permute(1, 2, 0).numpy()


def test_tables_resize_as_torch_does() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 61, 97, 3), dtype=np.uint8)
    tables = SummedAreaTables(frames)
    for size in ((12, 19), (60, 97), (70, 31)):
        expected = np.stack([of_torch(frame, *size) for frame in frames])
        np.testing.assert_allclose(tables.resized(*size), expected, atol=1e-4)
    boxes = np.array([[0, 0, 97, 61], [3, 50, 10, 61], [96, 0, 97, 1], [20, 7, 80, 60]])
    of_frame = np.array([2, 0, 1, 2])
    expected = np.stack(
        [
            of_torch(frames[of][y0:y1, x0:x1], 24, 24)
            for of, (x0, y0, x1, y1) in zip(of_frame, boxes, strict=True)
        ]
    )
    np.testing.assert_allclose(tables.cut(boxes, of_frame, 24), expected, atol=1e-4)


def test_sums_that_wrap_around_come_back() -> None:
    """White in 4K sums up to more than an int32 holds."""
    white = np.full((1, 2880, 3000, 3), 255, dtype=np.uint8)
    np.testing.assert_array_equal(SummedAreaTables(white).resized(7, 5), 255)


@pytest.mark.parametrize("shared_clips", [False, True])
def test_it_finds_what_facenet_pytorch_finds(
    request: pytest.FixtureRequest, small_ffpp: Path, read_frames: ReadFrames, shared_clips: bool
) -> None:
    """Frame by frame, at full resolution, the same faces in the same places."""
    if shared_clips:
        folder = request.getfixturevalue("shared") / "media" / "real_faces"
        videos = [folder / "d13.mp4", folder / "d18.mp4"]
    else:
        videos = sorted(small_ffpp.glob("*/*/c23/videos/*.mp4"))[:3]
    reference = MTCNN(keep_all=True, select_largest=False)
    cascade = FaceCascade()
    for video in videos:
        frames = list(read_frames(video, 2).values())
        for found, frame in zip(cascade(frames, 20), frames, strict=True):
            boxes, probabilities = reference.detect(frame)
            expected = np.column_stack((boxes.astype(float), probabilities.astype(float)))
            order = np.argsort(-expected[:, 4])
            np.testing.assert_allclose(found, expected[order], atol=0.02)


def test_frames_of_a_call_do_not_touch_each_other(
    small_ffpp: Path, read_frames: ReadFrames
) -> None:
    videos = sorted(small_ffpp.glob("*/*/c23/videos/*.mp4"))[:4]
    frames = [next(iter(read_frames(video, 1).values())) for video in videos]
    frames.insert(2, np.full_like(frames[0], 128))
    cascade = FaceCascade()
    together = cascade(frames, 20)
    assert [len(faces) for faces in together] == [1, 1, 0, 1, 1]
    for faces, frame in zip(together, frames, strict=True):
        np.testing.assert_allclose(cascade([frame], 20)[0], faces, atol=1e-3)
