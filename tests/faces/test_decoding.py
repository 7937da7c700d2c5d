import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from faces.containers import UnreadableVideoError
from faces.decoding import decode_frames
from faces.frame_index import evenly_spaced, index_frames

WriteVideo = Callable[..., Path]
ReadFrames = Callable[[Path, int], dict[int, NDArray[np.uint8]]]
Damage = Callable[[Path, list[int]], None]
Numbered = Callable[[int], list[NDArray[np.uint8]]]


@pytest.mark.parametrize(
    ("length", "count", "expected"),
    [
        (100, 4, [12, 37, 62, 87]),
        (5, 2, [1, 3]),
        (8, 8, list(range(8))),
        (3, 8, [0, 1, 2]),
        (1, 1, [0]),
        (0, 4, []),
    ],
)
def test_frames_are_spread_over_the_whole_video(
    length: int, count: int, expected: list[int]
) -> None:
    assert evenly_spaced(length, count).tolist() == expected


def grey_levels(frames: dict[int, NDArray[np.uint8]]) -> list[int]:
    return [round(float(frame[24:, 32:].mean())) for frame in frames.values()]


def all_frames(path: Path) -> list[NDArray[np.uint8]]:
    """Decode every frame, without skipping any."""
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_frames_have_their_own_numbers(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered, read_frames: ReadFrames
) -> None:
    path = write_video(tmp_path / "a.mp4", numbered_frames(200), crf="1")
    frames = read_frames(path, 5)
    assert list(frames) == [20, 60, 100, 140, 180]
    np.testing.assert_allclose(grey_levels(frames), list(frames), atol=2)
    assert index_frames(path).claimed is None


@pytest.mark.parametrize("count", [1, 7, 59])
def test_skipping_frames_does_not_change_others(
    tmp_path: Path, write_video: WriteVideo, read_frames: ReadFrames, count: int
) -> None:
    """The video has B-frames, some of them referred to; frames of each kind are selected."""
    rng = np.random.default_rng(0)
    frames = np.clip(rng.normal(128, 40, (60, 48, 64, 3)).cumsum(0) / 8, 0, 255).astype(np.uint8)
    coding = {"bf": "3", "b_strategy": "0", "b-pyramid": "normal", "g": "24"}
    path = write_video(tmp_path / "a.mp4", frames, **coding)
    whole = all_frames(path)
    for number, frame in read_frames(path, count).items():
        np.testing.assert_array_equal(frame, whole[number])


def test_frames_are_counted_if_the_container_has_no_length(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered, read_frames: ReadFrames
) -> None:
    path = write_video(tmp_path / "a.mkv", numbered_frames(50), container="matroska")
    assert list(read_frames(path, 5)) == [5, 15, 25, 35, 45]


def test_frames_without_times_are_numbered_in_decoding_order(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered, read_frames: ReadFrames
) -> None:
    path = write_video(tmp_path / "a.h264", numbered_frames(60), container="h264", crf="1")
    frames = read_frames(path, 5)
    assert list(frames) == [6, 18, 30, 42, 54]
    np.testing.assert_allclose(grey_levels(frames), list(frames), atol=2)


def test_a_container_that_claims_too_many_frames_is_read_whole(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered, read_frames: ReadFrames
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(40), container="avi", codec="mpeg4")
    content = bytearray(path.read_bytes())
    length = content.index(b"strh") + 8 + 32
    assert int.from_bytes(content[length : length + 4], "little") == 40
    content[length : length + 4] = (400).to_bytes(4, "little")
    path.write_bytes(content)
    frames = read_frames(path, 4)
    assert list(frames) == [5, 15, 25, 35]
    np.testing.assert_allclose(grey_levels(frames), list(frames), atol=3)
    assert index_frames(path).claimed == 400


def test_frames_of_a_variable_rate_are_numbered_consecutively(
    tmp_path: Path, numbered_frames: Numbered, read_frames: ReadFrames
) -> None:
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, frame in enumerate(numbered_frames(40)):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = 40 * number + 300 * (number // 10), Fraction(1, 1000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode())
    frames = read_frames(path, 4)
    assert list(frames) == [5, 15, 25, 35]
    np.testing.assert_allclose(grey_levels(frames), list(frames), atol=2)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_rotated_video_is_turned_upright(
    tmp_path: Path,
    write_video: WriteVideo,
    numbered_frames: Numbered,
    read_frames: ReadFrames,
    rotation: int,
) -> None:
    """The frames are stored as the camera took them, and the container has the rotation."""
    plain = read_frames(write_video(tmp_path / "plain.mp4", numbered_frames(3)), 3)
    path = write_video(tmp_path / "turned.mp4", numbered_frames(3), rotation=rotation)
    for number, frame in read_frames(path, 3).items():
        np.testing.assert_array_equal(frame, np.rot90(plain[number], k=rotation // 90))


def test_a_video_may_have_one_frame(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered, read_frames: ReadFrames
) -> None:
    assert list(read_frames(write_video(tmp_path / "a.mp4", numbered_frames(1)), 8)) == [0]


@pytest.fixture
def noise(tmp_path: Path, write_video: WriteVideo) -> Path:
    """Return a video of fifty frames of similar size, with the index before them."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(50)]
    return write_video(tmp_path / "noise.mp4", frames, movflags="faststart", bf="0")


def test_a_truncated_copy_is_read_up_to_its_end(noise: Path, read_frames: ReadFrames) -> None:
    whole = all_frames(noise)
    content = noise.read_bytes()
    noise.write_bytes(content[: len(content) // 2])
    index = index_frames(noise)
    assert 20 < index.length < 30
    assert index.claimed == 50
    frames = read_frames(noise, 4)
    assert list(frames) == evenly_spaced(index.length, 4).tolist()
    for number, frame in frames.items():
        np.testing.assert_array_equal(frame, whole[number])


def test_a_damaged_frame_is_replaced_by_the_next_one(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered, damage: Damage
) -> None:
    mjpeg = {"container": "avi", "codec": "mjpeg", "pix_fmt": "yuvj420p"}
    path = write_video(tmp_path / "a.avi", numbered_frames(20), **mjpeg)
    damage(path, [10, 18, 19])
    index = index_frames(path)
    assert index.length == 20
    assert [number for number, _ in decode_frames(path, index, [4, 10, 15, 19])] == [4, 11, 15]


def test_a_file_that_is_not_a_video_is_unreadable(tmp_path: Path, noise: Path) -> None:
    broken = tmp_path / "broken.mp4"
    for content in (b"", b"no video\n" * 100, noise.read_bytes()[-2000:]):
        broken.write_bytes(content)
        with pytest.raises(UnreadableVideoError, match="not a video"):
            index_frames(broken)


def test_a_path_that_is_not_a_file_is_unreadable(tmp_path: Path) -> None:
    """Opening the FIFO would wait for ever."""
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "nothing.mp4")
    for path, reason in (
        (tmp_path / "fifo.mp4", "not a regular file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "link.mp4", "dangling link"),
        (tmp_path / "nothing.mp4", "no such file"),
    ):
        with pytest.raises(UnreadableVideoError, match=reason):
            index_frames(path)


def test_a_video_without_frames_is_unreadable(tmp_path: Path) -> None:
    with av.open(tmp_path / "sound.mp4", "w") as output:
        stream = output.add_stream("aac", rate=16_000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate = 16_000
        output.mux(stream.encode(silence))
        output.mux(stream.encode())
    with pytest.raises(UnreadableVideoError, match="no video frame"):
        index_frames(tmp_path / "sound.mp4")
