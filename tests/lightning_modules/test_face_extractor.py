from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules.crops.store_writer import VideoCrops
from datamodules.videos import VideoFrames
from lightning_modules.face_extractor import FaceExtractor

WriteVideo = Callable[..., Path]
ReadFrames = Callable[[Path, int], dict[int, NDArray[np.uint8]]]


@pytest.fixture(scope="module")
def extractor() -> Iterator[FaceExtractor]:
    """Detect in one thread, as an extraction does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield FaceExtractor(size=64).eval()
    torch.set_num_threads(threads)


def part(
    frames: list[NDArray[np.uint8]],
    numbers: list[int] | None = None,
    is_last: bool = True,
    mask: Path | None = None,
) -> VideoFrames:
    """Build a part of video 0."""
    return VideoFrames(
        record=0,
        frames=frames,
        frame_numbers=numbers or list(range(len(frames))),
        is_last=is_last,
        undecoded=[],
        claimed_frames=None,
        reason=None,
        mask=mask,
    )


def extract(extractor: FaceExtractor, last_part: VideoFrames) -> VideoCrops:
    finished = extractor.extract(last_part)
    assert finished is not None
    return finished[1]


@pytest.fixture(scope="module")
def clip(small_ffpp: Path, read_frames: ReadFrames) -> list[NDArray[np.uint8]]:
    """Return four frames of a rendered person, 160 px."""
    video = sorted(small_ffpp.glob("original_sequences/*/c23/videos/*.mp4"))[0]
    return list(read_frames(video, 4).values())


def test_a_frame_without_a_face_is_listed(
    extractor: FaceExtractor, clip: list[NDArray[np.uint8]]
) -> None:
    grey = np.full_like(clip[0], 128)
    result = extract(extractor, part([clip[0], grey, clip[2]], [5, 15, 25]))
    assert result.crop_frames == [5, 25]
    assert result.frame_numbers == [5, 15, 25]
    assert result.without_crop == {15: "no face found"}
    assert result.crops.shape == (2, 64, 64, 3)


def test_parts_give_the_same_crops_as_the_whole(
    extractor: FaceExtractor, clip: list[NDArray[np.uint8]]
) -> None:
    whole = extract(extractor, part(clip))
    assert extractor.extract(part(clip[:3], [0, 1, 2], is_last=False)) is None
    in_parts = extract(extractor, part(clip[3:], [3]))
    assert in_parts.crop_frames == whole.crop_frames == [0, 1, 2, 3]
    np.testing.assert_array_equal(in_parts.boxes, whole.boxes)
    np.testing.assert_array_equal(in_parts.crops, whole.crops)


def test_a_face_that_leaves_the_frame_is_cropped_until_then(
    extractor: FaceExtractor, clip: list[NDArray[np.uint8]]
) -> None:
    """It moves out to the left by a third of its width per frame."""
    found = extract(extractor, part([clip[0]]))
    left, _, right, _ = found.boxes[0].astype(int)
    step = (right - left) // 3
    leaving = []
    for shift in range(0, right + step, step):
        frame = np.full_like(clip[0], 128)
        frame[:, : frame.shape[1] - shift] = clip[0][:, shift:]
        leaving.append(frame)
    result = extract(extractor, part(leaving))
    seen = result.crop_frames
    assert seen == list(range(len(seen)))
    assert 2 <= len(seen) < len(leaving)
    assert set(result.without_crop) == set(range(len(seen), len(leaving)))
    assert len(result.crops) == len(seen)


def test_a_small_face_is_found_in_the_second_pass(
    extractor: FaceExtractor, clip: list[NDArray[np.uint8]]
) -> None:
    """30 px in a frame of 720 px: smaller than the smallest face of the first pass."""
    found = extract(extractor, part([clip[0]]))
    share = 30 / float(np.ptp(found.boxes[0, [0, 2]]))
    small = cv2.resize(clip[0], None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    frame = np.full((720, 720, 3), 128, dtype=np.uint8)
    frame[100 : 100 + small.shape[0], 200 : 200 + small.shape[1]] = small
    assert extractor.cascade.detect({0: frame}, 72) == {0: []}
    result = extract(extractor, part([frame, frame]))
    assert result.crop_frames == [0, 1]
    assert 20 < np.ptp(result.boxes[0, [0, 2]]) < 40


@pytest.fixture
def two_people(clip: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Return frames of a person next to the same one at three quarters of the size."""
    frames = []
    for frame in clip:
        small = cv2.resize(frame, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
        both = np.full((frame.shape[0], frame.shape[1] * 2, 3), 128, dtype=np.uint8)
        both[:, : frame.shape[1]] = frame
        both[: small.shape[0], frame.shape[1] : frame.shape[1] + small.shape[1]] = small
        frames.append(both)
    return frames


def test_the_larger_of_two_people_is_cropped_or_both(
    two_people: list[NDArray[np.uint8]], extractor: FaceExtractor
) -> None:
    one = extract(extractor, part(two_people))
    everyone = extract(FaceExtractor(size=64, all_faces=True), part(two_people))
    middle = two_people[0].shape[1] / 2
    assert (one.boxes[:, 2] < middle).all()
    assert one.tracks == [0, 0, 0, 0]
    assert everyone.tracks == [0, 0, 0, 0, 1, 1, 1, 1]
    assert everyone.crop_frames == [0, 1, 2, 3, 0, 1, 2, 3]
    assert (everyone.boxes[4:, 0] > middle).all()


def test_the_manipulated_face_is_cropped_if_there_is_a_mask(
    extractor: FaceExtractor,
    two_people: list[NDArray[np.uint8]],
    write_video: WriteVideo,
    tmp_path: Path,
) -> None:
    middle = two_people[0].shape[1] // 2
    masks = [np.zeros_like(frame) for frame in two_people]
    for mask in masks:
        mask[:, middle:] = 255
    path = write_video(tmp_path / "mask.mp4", masks)
    result = extract(extractor, part(two_people, mask=path))
    assert len(result.boxes) == 4
    assert (result.boxes[:, 0] > middle).all()
    path.write_bytes(b"")
    result = extract(extractor, part(two_people, mask=path))
    assert (result.boxes[:, 2] < middle).all()


@pytest.mark.parametrize("size", [(8, 8), (20, 20), (21, 300), (40, 16), (1, 1)])
def test_a_frame_may_be_too_small_for_a_face(
    extractor: FaceExtractor, size: tuple[int, int]
) -> None:
    frame = np.full((*size, 3), 90, dtype=np.uint8)
    assert extractor.cascade.detect({0: frame, 1: frame}, 1) == {0: [], 1: []}


def test_noise_has_no_face(extractor: FaceExtractor) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 120, 160, 3), dtype=np.uint8)
    result = extract(extractor, part(list(noise)))
    assert result.without_crop == dict.fromkeys(range(3), "no face found")


def test_the_weights_of_the_detector_load_without_pickle() -> None:
    import facenet_pytorch

    data = Path(facenet_pytorch.__file__).parent / "data"
    for name in ("pnet", "rnet", "onet"):
        assert torch.load(data / f"{name}.pt", weights_only=True)


def test_faces_of_real_clips_are_found_in_every_frame(
    extractor: FaceExtractor, shared: Path, read_frames: ReadFrames
) -> None:
    clips = sorted((shared / "media" / "real_faces").glob("*.mp4"))
    assert len(clips) == 11
    for clip in clips:
        frames = list(read_frames(clip, 4).values())
        result = extract(extractor, part(frames))
        assert result.crop_frames == [0, 1, 2, 3], clip.name
        side = min(frames[0].shape[:2])
        width = result.boxes[:, 2] - result.boxes[:, 0]
        assert ((0.15 * side < width) & (width < side)).all(), clip.name
