from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.layouts.record import VideoRecord
from datamodules.videos import (
    UnreadableVideoError,
    VideoFramesDataModule,
    evenly_spaced,
    read_frames,
)
from errors import InputError

WriteVideo = Callable[..., Path]
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
def test_frames_are_spread_over_the_whole_length(
    length: int, count: int, expected: list[int]
) -> None:
    assert evenly_spaced(length, count).tolist() == expected


def seen_numbers(frames: NDArray[np.uint8]) -> list[int]:
    return [round(float(frame[24:, 32:].mean())) for frame in frames]


def test_the_frames_are_the_ones_that_their_numbers_say(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered
) -> None:
    path = write_video(tmp_path / "a.mp4", numbered_frames(200), crf="1")
    frames, numbers, claimed = read_frames(path, 5)
    assert frames.shape == (5, 48, 64, 3)
    assert numbers.tolist() == [20, 60, 100, 140, 180]
    np.testing.assert_allclose(seen_numbers(frames), numbers, atol=2)
    assert claimed is None


def test_a_container_without_a_length_is_counted(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered
) -> None:
    path = write_video(tmp_path / "a.mkv", numbered_frames(50), container="matroska")
    assert read_frames(path, 5)[1].tolist() == [5, 15, 25, 35, 45]


def test_a_container_that_claims_too_much_still_gives_its_whole_length(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(40), container="avi", codec="mpeg4")
    content = bytearray(path.read_bytes())
    length = content.index(b"strh") + 8 + 32
    assert int.from_bytes(content[length : length + 4], "little") == 40
    content[length : length + 4] = (400).to_bytes(4, "little")
    path.write_bytes(content)
    frames, numbers, claimed = read_frames(path, 4)
    assert numbers.tolist() == [5, 15, 25, 35]
    np.testing.assert_allclose(seen_numbers(frames), numbers, atol=3)
    assert claimed == 400


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_rotated_video_comes_upright(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered, rotation: int
) -> None:
    """The camera's picture lies turned in the file; the container says how to turn it."""
    plain = read_frames(write_video(tmp_path / "plain.mp4", numbered_frames(3)), 3)[0]
    path = write_video(tmp_path / "turned.mp4", numbered_frames(3), rotation=rotation)
    frames, _, _ = read_frames(path, 3)
    expected = [np.rot90(frame, k=rotation // 90) for frame in plain]
    np.testing.assert_array_equal(frames, expected)


def test_one_frame_is_a_video(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered
) -> None:
    frames, numbers, _ = read_frames(write_video(tmp_path / "a.mp4", numbered_frames(1)), 8)
    assert (len(frames), numbers.tolist()) == (1, [0])


@pytest.fixture
def broken(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered
) -> Callable[[str], Path]:
    def make(kind: str) -> Path:
        path = tmp_path / "broken.mp4"
        options = {"movflags": "faststart"} if kind == "second half cut off" else {}
        rng = np.random.default_rng(0)
        noise = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(50)]
        content = write_video(path, noise, **options).read_bytes()
        path.write_bytes(
            {
                "index cut off": content[: len(content) // 2],
                "second half cut off": content[: len(content) // 2],
                "empty": b"",
                "text": b"no video\n" * 100,
            }[kind]
        )
        return path

    return make


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("index cut off", "Invalid data"),
        ("second half cut off", "truncated"),
        ("empty", "Invalid data"),
        ("text", "Invalid data"),
    ],
)
def test_a_broken_video_says_why(broken: Callable[[str], Path], kind: str, reason: str) -> None:
    with pytest.raises(UnreadableVideoError, match=reason):
        read_frames(broken(kind), 4)


def test_a_missing_video_and_one_of_sound_alone_say_why(tmp_path: Path) -> None:
    import av

    with pytest.raises(UnreadableVideoError, match="No such file"):
        read_frames(tmp_path / "nowhere.mp4", 4)
    with av.open(tmp_path / "sound.mp4", "w") as output:
        stream = output.add_stream("aac", rate=16_000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate = 16_000
        output.mux(stream.encode(silence))
        output.mux(stream.encode())
    with pytest.raises(UnreadableVideoError, match="no video frame"):
        read_frames(tmp_path / "sound.mp4", 4)


def test_a_broken_video_is_an_item_among_the_others(
    tmp_path: Path,
    write_video: WriteVideo,
    numbered_frames: Numbered,
    broken: Callable[[str], Path],
) -> None:
    whole = write_video(tmp_path / "whole.mp4", numbered_frames(6))
    records = [
        VideoRecord("mine", "original", path.stem, 0, "test", "raw", path)
        for path in (broken("empty"), whole)
    ]
    items = list(VideoFramesDataModule(records, frames_per_video=2).predict_dataloader())
    assert [item["record"] for item in items] == [0, 1]
    assert "Invalid data" in (items[0]["reason"] or "")
    assert items[0]["frames"].shape[0] == 0
    assert items[1]["reason"] is None
    assert items[1]["frame_numbers"].tolist() == [1, 4]


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="frames_per_video 0"):
        VideoFramesDataModule([], frames_per_video=0)
    with pytest.raises(InputError, match="num_workers -1"):
        VideoFramesDataModule([], num_workers=-1)
