from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.layouts.record import VideoRecord
from datamodules.videos import VideoFrames, VideoFramesDataModule
from errors import InputError

WriteVideo = Callable[..., Path]
Damage = Callable[[Path, Iterable[int]], None]
Numbered = Callable[[int], list[NDArray[np.uint8]]]


def parts_of(paths: list[Path], frames_per_video: int, num_workers: int = 0) -> list[VideoFrames]:
    records = [VideoRecord("mine", "original", path.stem, 0, "test", "raw", path) for path in paths]
    data = VideoFramesDataModule(records, frames_per_video, num_workers)
    return list(chain.from_iterable(data.predict_dataloader()))


def test_a_broken_video_is_one_of_the_items(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered
) -> None:
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    whole = write_video(tmp_path / "whole.mp4", numbered_frames(6))
    first, second = parts_of([empty, whole], 2)
    assert (first["record"], second["record"]) == (0, 1)
    assert "not a video" in (first["reason"] or "")
    assert first["frames"] == []
    assert second["reason"] is None
    assert second["frame_numbers"] == [1, 4]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_long_video_is_split_into_parts(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered, num_workers: int
) -> None:
    long = write_video(tmp_path / "long.mp4", numbered_frames(120))
    short = write_video(tmp_path / "short.mp4", numbered_frames(10))
    parts = parts_of([long, short, long], 70, num_workers)
    assert len(parts) == 3 * 3
    of_video = [[part for part in parts if part["record"] == index] for index in range(3)]
    assert [len(part["frames"]) for part in of_video[0]] == [32, 32, 6]
    assert [len(part["frames"]) for part in of_video[1]] == [10, 0, 0]
    for in_order in of_video:
        assert [part["is_last"] for part in in_order] == [False, False, True]
        assert in_order[-1]["undecoded"] == []
    numbers = [[n for part in in_order for n in part["frame_numbers"]] for in_order in of_video]
    assert numbers[0] == numbers[2] == [(2 * k + 1) * 120 // 140 for k in range(70)]


def test_frames_that_cannot_be_decoded_are_listed(
    tmp_path: Path, write_video: WriteVideo, numbered_frames: Numbered, damage: Damage
) -> None:
    mjpeg = {"container": "avi", "codec": "mjpeg", "pix_fmt": "yuvj420p"}
    path = write_video(tmp_path / "a.avi", numbered_frames(8), **mjpeg)
    damage(path, [6, 7])
    (part,) = parts_of([path], 8)
    assert part["frame_numbers"] == [0, 1, 2, 3, 4, 5]
    assert part["undecoded"] == [6, 7]
    assert part["reason"] is None
    damage(path, range(8))
    (part,) = parts_of([path], 8)
    assert part["reason"] == "no frame can be decoded"


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="frames_per_video is 0"):
        VideoFramesDataModule([], frames_per_video=0)
    with pytest.raises(InputError, match="num_workers is -1"):
        VideoFramesDataModule([], num_workers=-1)
