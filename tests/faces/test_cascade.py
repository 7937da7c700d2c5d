import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from torch.nn.functional import interpolate
from torchvision.ops import batched_nms

from faces.boxes import suppress_overlaps
from faces.cascade import FaceCascade
from faces.summed_area import SummedAreaTables
from faces.torch_networks import TorchFaceNetworks
from faces.tracks import Detection

ReadFrames = Callable[[Path, int], dict[int, NDArray[np.uint8]]]


def resize_with_torch(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    batch = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None].float()
    resized = interpolate(batch, size=(height, width), mode="area")
    return resized[0].permute(1, 2, 0).numpy()


def test_tables_resize_like_torch() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 61, 97, 3), dtype=np.uint8)
    tables = SummedAreaTables(frames)
    for size in ((12, 19), (60, 97), (70, 31)):
        expected = np.stack([resize_with_torch(frame, *size) for frame in frames])
        np.testing.assert_allclose(tables.resized(*size), expected, atol=1e-4)
    boxes = np.array([[0, 0, 97, 61], [3, 50, 10, 61], [96, 0, 97, 1], [20, 7, 80, 60]])
    of_frame = np.array([2, 0, 1, 2])
    expected = np.stack(
        [
            resize_with_torch(frames[of][y0:y1, x0:x1], 24, 24)
            for of, (x0, y0, x1, y1) in zip(of_frame, boxes, strict=True)
        ]
    )
    np.testing.assert_allclose(tables.cut(boxes, of_frame, 24), expected, atol=1e-4)


def test_sums_may_wrap_around() -> None:
    """The sum over a white 4K frame exceeds the range of int32."""
    white = np.full((1, 2880, 3000, 3), 255, dtype=np.uint8)
    np.testing.assert_array_equal(SummedAreaTables(white).resized(7, 5), 255)


@pytest.mark.parametrize("max_overlap", [0.5, 0.7])
def test_overlaps_are_suppressed_like_in_torchvision(max_overlap: float) -> None:
    rng = np.random.default_rng(0)
    corners, sides = rng.integers(0, 60, (400, 2)), rng.integers(8, 40, (400, 2))
    scores = rng.choice(np.linspace(0.6, 1, 30), (400, 1))  # with ties
    boxes = np.hstack((corners, corners + sides, scores)).astype(np.float32)
    of_frame = rng.integers(0, 3, 400)
    tensor = torch.from_numpy(boxes)
    expected = batched_nms(tensor[:, :4], tensor[:, 4], torch.from_numpy(of_frame), max_overlap)
    kept = suppress_overlaps(boxes, of_frame, max_overlap)
    assert 3 < len(kept) < 400
    np.testing.assert_array_equal(kept, expected)
    assert suppress_overlaps(boxes[:0], of_frame[:0], max_overlap).tolist() == []


def as_array(faces: list[Detection]) -> NDArray[np.float64]:
    return np.array([[*face.box, face.probability] for face in faces]).reshape(-1, 5)


@pytest.mark.parametrize("shared_clips", [False, True])
def test_the_cascade_detects_what_facenet_pytorch_detects(
    request: pytest.FixtureRequest, small_ffpp: Path, read_frames: ReadFrames, shared_clips: bool
) -> None:
    """At full resolution, the same faces in the same places in every frame."""
    if shared_clips:
        folder = request.getfixturevalue("shared") / "media" / "real_faces"
        videos = [folder / "d13.mp4", folder / "d18.mp4"]
    else:
        videos = sorted(small_ffpp.glob("*/*/c23/videos/*.mp4"))[:3]
    reference = MTCNN(keep_all=True, select_largest=False)
    cascade = FaceCascade(TorchFaceNetworks())
    for video in videos:
        frames = read_frames(video, 2)
        found = cascade.detect(frames, 20)
        for number, frame in frames.items():
            boxes, probabilities = reference.detect(frame)
            expected = np.column_stack((boxes.astype(float), probabilities.astype(float)))
            order = np.argsort(-expected[:, 4])
            np.testing.assert_allclose(as_array(found[number]), expected[order], atol=0.02)


def test_frames_of_a_batch_do_not_affect_each_other(
    small_ffpp: Path, read_frames: ReadFrames
) -> None:
    videos = sorted(small_ffpp.glob("*/*/c23/videos/*.mp4"))[:4]
    frames = [next(iter(read_frames(video, 1).values())) for video in videos]
    frames.insert(2, np.full_like(frames[0], 128))
    cascade = FaceCascade(TorchFaceNetworks())
    together = cascade.detect(dict(enumerate(frames)), 20)
    assert [len(faces) for faces in together.values()] == [1, 1, 0, 1, 1]
    for number, frame in enumerate(frames):
        alone = cascade.detect({0: frame}, 20)[0]
        # The results are rounded to 0.01.
        np.testing.assert_allclose(as_array(alone), as_array(together[number]), atol=0.011)


_WITHOUT_TORCH = """
import sys
import numpy as np
from faces import boxes, decoding, summed_area, tracks
from faces.cascade import FaceCascade
from faces.video_faces import VideoFaces

class EveryWindow:
    pixels_per_batch, squares_per_call = 2**21, 32
    def run(self, name, images):
        n, height, width, _ = images.shape
        if name != "p_net":
            return np.zeros((n, 4), np.float32), np.full(n, 0.95, np.float32)
        shape = (n, (height - 10) // 2, (width - 10) // 2)
        return np.zeros((n, 4, *shape[1:]), np.float32), np.full(shape, 0.9, np.float32)

video = VideoFaces(FaceCascade(EveryWindow()), size=32)
video.add({3: np.zeros((40, 40, 3), np.uint8)})
assert video.detections[3] and len(video.crops) == len(video.detections[3])
assert all(crop.shape == (32, 32, 3) for crop in video.crops.values())
loaded = {"torch", "torchvision", "lightning", "facenet_pytorch"} & {*sys.modules}
assert not loaded, loaded
"""


def test_faces_are_detected_and_cropped_without_torch() -> None:
    """Another runtime implements `FaceNetworks` and shares everything else."""
    command = [sys.executable, "-c", _WITHOUT_TORCH]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert finished.returncode == 0, finished.stderr
