from pathlib import Path

import pytest

from datamodules.layouts.detect import read_layout
from errors import InputError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_own_videos_without_splits_are_for_testing(tmp_path: Path) -> None:
    root = touch(tmp_path / "mine", "real/a.mp4", "real/b.MOV", "fake/a.mp4", "fake/roop/c d.avi")
    (root / "real" / "notes.txt").touch()
    layout = read_layout(root, "c23")
    found = {
        (r.dataset, r.method, r.video, r.label, r.split, r.compression) for r in layout.records
    }
    assert found == {
        ("mine", "real", "a", 0, "test", "release"),
        ("mine", "real", "b", 0, "test", "release"),
        ("mine", "fake", "a", 1, "test", "release"),
        ("mine", "roop", "c_d", 1, "test", "release"),
    }
    assert "all videos are for testing" in layout.lines()[0]


def test_own_splits_are_kept(tmp_path: Path) -> None:
    root = touch(
        tmp_path, *(f"{s}/{k}/{s}.mp4" for s in ("train", "val") for k in ("real", "fake"))
    )
    layout = read_layout(root, "c23")
    assert [(r.split, r.label) for r in layout.records] == [
        *(("train", 0), ("train", 1), ("val", 0), ("val", 1)),
    ]
    assert layout.lines() == []


def test_two_videos_of_one_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.mp4", "real/a.mov", "fake/b.mp4")
    with pytest.raises(InputError, match="the same name; rename"):
        read_layout(tmp_path, "c23")


def test_folders_without_a_video_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    with pytest.raises(InputError, match="no video in real/ and fake/"):
        read_layout(tmp_path, "c23")
