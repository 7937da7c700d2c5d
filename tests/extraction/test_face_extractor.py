from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.videos import read_frames
from lightning_modules.face_extractor import Detection, FaceExtractor, choose_face, cut_out


@pytest.fixture(scope="module")
def extractor() -> Iterator[FaceExtractor]:
    """One thread, as in an extraction."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield FaceExtractor(size=64).eval()
    torch.set_num_threads(threads)


def face(x: float, y: float, side: float, probability: float = 0.99) -> Detection:
    return Detection(np.array([x, y, x + side, y + side]), probability)


def test_the_chosen_face_is_the_one_that_stays() -> None:
    person = [face(100 + 5 * step, 60, 50) for step in range(6)]
    detections = [[one] for one in person]
    detections[2].insert(0, face(0, 0, 120, 0.75))  # a larger thing in the background
    detections[4] = [face(300, 200, 90, 0.8)]  # and the person missed
    chosen = choose_face(detections)
    assert sorted(chosen) == [0, 1, 2, 3, 5]
    assert all(chosen[index] is person[index] for index in chosen)


def test_of_two_people_the_larger_is_followed_through_the_video() -> None:
    near = [face(40 + 10 * step, 50, 80) for step in range(5)]
    far = [face(200 - 10 * step, 50, 45) for step in range(5)]
    chosen = choose_face([[small, large] for small, large in zip(far, near, strict=True)])
    assert [chosen[index] for index in range(5)] == near


def test_nothing_found_chooses_nothing() -> None:
    assert choose_face([[], [], []]) == {}


def test_the_square_is_enlarged_around_the_box() -> None:
    frame = np.zeros((200, 300, 3), dtype=np.uint8)
    frame[60:140, 100:160] = 200  # 80 high, so that the square's side is 104
    crop = cut_out(frame, np.array([100.0, 60.0, 160.0, 140.0]), scale=1.3, size=104)
    assert crop.shape == (104, 104, 3)
    rows, columns = np.nonzero(crop[..., 0])
    assert (rows.min(), rows.max()) == (12, 91)
    assert (columns.min(), columns.max()) == (22, 81)


def test_beyond_the_border_the_picture_is_reflected() -> None:
    frame = np.arange(100, dtype=np.uint8)[None, :, None].repeat(100, 0).repeat(3, 2)
    crop = cut_out(frame, np.array([-10.0, 40.0, 10.0, 60.0]), scale=1.0, size=20)
    np.testing.assert_array_equal(crop[0, :, 0], [*range(10, 0, -1), *range(10)])
    whole = cut_out(frame[:3, :4], np.array([-50.0, -50.0, 50.0, 50.0]), scale=1.3, size=32)
    assert whole.shape == (32, 32, 3)


def test_the_rendered_faces_are_found(extractor: FaceExtractor, tiny_ffpp: Path) -> None:
    frames = read_frames(next(tiny_ffpp.glob("original_sequences/*/c23/videos/*.mp4")), 4)[0]
    found = extractor.detect(frames)
    assert [len(of_frame) for of_frame in found] == [1] * 4


def test_frames_with_and_without_a_face_go_through_one_call(
    extractor: FaceExtractor, tiny_ffpp: Path
) -> None:
    frames = read_frames(next(tiny_ffpp.glob("original_sequences/*/c23/videos/*.mp4")), 3)[0]
    frames[1] = 128
    assert [len(of_frame) for of_frame in extractor.detect(frames)] == [1, 0, 1]
    batch = {
        "record": 0,
        "frames": frames,
        "frame_numbers": np.array([5, 15, 25]),
        "claimed_frames": None,
        "reason": None,
    }
    result = extractor.predict_step(batch, 0)
    assert result.crop_frames == [5, 25]
    assert result.frame_numbers == [5, 15, 25]
    assert result.crops.shape == (2, 64, 64, 3)


@pytest.mark.parametrize("size", [(8, 8), (20, 20), (21, 300), (40, 16), (1, 1)])
def test_a_frame_too_small_for_a_face_has_none(
    extractor: FaceExtractor, size: tuple[int, int]
) -> None:
    assert extractor.detect(np.full((2, *size, 3), 90, dtype=np.uint8)) == [[], []]


def test_noise_is_no_face(extractor: FaceExtractor) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 120, 160, 3), dtype=np.uint8)
    assert extractor.detect(noise) == [[], [], []]


def test_the_detectors_weights_load_without_pickle() -> None:
    import facenet_pytorch

    data = Path(facenet_pytorch.__file__).parent / "data"
    for name in ("pnet", "rnet", "onet"):
        assert torch.load(data / f"{name}.pt", weights_only=True)


def test_faces_of_real_clips_are_found_at_every_frame(
    extractor: FaceExtractor, shared: Path
) -> None:
    clips = sorted((shared / "media" / "real_faces").glob("*.mp4"))
    assert len(clips) == 11
    for clip in clips:
        frames = read_frames(clip, 4)[0]
        chosen = choose_face(extractor.detect(frames))
        assert sorted(chosen) == [0, 1, 2, 3], clip.name
        side = min(frames.shape[1:3])
        assert all(0.15 * side < one.side < side for one in chosen.values()), clip.name
