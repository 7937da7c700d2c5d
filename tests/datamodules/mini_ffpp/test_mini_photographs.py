"""Miniatures of still photographs; the photographs are frames of rendered people."""

import os
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from cli.main import main
from datamodules.layouts.ffpp import scan_ffpp
from datamodules.mini_ffpp.ffpp import MiniFFPP, split_people
from datamodules.mini_ffpp.people import FFPP, Population
from datamodules.mini_ffpp.photographs import (
    UnusableFileError,
    film_photograph,
    read_photograph,
)
from datamodules.mini_ffpp.real_faces import cast_real_faces, find_people
from datamodules.mini_ffpp.video import encode
from faces.decoding import decode_frames
from faces.frame_index import index_frames
from tests.support.damage import damaged

Picture = NDArray[np.uint8]
POPULATION = Population(0, FFPP, frames=4, size=128)


def still(person: int, size: int = 400) -> Picture:
    clip = Population(3, FFPP, frames=2, size=size).film(person, take=0, group=0)
    return clip.frames[0].astype(np.uint8)


def save(picture: Picture, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=95)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven usable people, one of them in a video and one in a folder, and unusable files."""
    faces: Path = tmp_path_factory.mktemp("photographs") / "faces"
    for person in range(5):
        save(still(person), faces / f"{person}.jpg")
    clip = Population(3, FFPP, frames=4, size=400).film(5, take=0, group=0)
    encode(clip.frames.astype(np.uint8), faces / "5.mp4", 18)
    save(still(6), faces / "person 6" / "b.png")
    (faces / "person 6" / "a.jpg").write_bytes((faces / "0.jpg").read_bytes()[:9000])
    save(np.full((400, 400, 3), 90, np.uint8), faces / "wall [grey].png")
    save(np.full((16, 16, 3), 90, np.uint8), faces / "icon.png")
    save(np.full((3, 4000, 3), 90, np.uint8), faces / "strip.png")
    save(np.hstack([still(7), still(8)]), faces / "two.webp")
    save(cv2.resize(still(0), (90, 90), interpolation=cv2.INTER_AREA), faces / "small.png")
    (faces / "cut.jpeg").write_bytes((faces / "0.jpg").read_bytes()[:9000])
    os.mkfifo(faces / "fifo.jpg")
    return faces


def test_unusable_photographs_are_left_out_with_the_reason(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cast = cast_real_faces(folder, tmp_path, POPULATION, workers=2)
    reasons = {unused.file: unused.reason for unused in cast.left_out}
    assert len(cast.clips) == 6
    assert reasons.pop("small.png").startswith("too small: ")
    assert reasons == {
        "cut.jpeg": "unreadable: not a picture, or cut short",
        "person 6/a.jpg": "unreadable: not a picture, or cut short",
        "person 6/b.png": "odd number of people, who are paired",
        "fifo.jpg": "unreadable: not a regular file",
        "icon.png": "no face",
        "strip.png": "no face",
        "two.webp": "2 people",
        "wall [grey].png": "no face",
    }
    assert "wall [grey].png: not used (no face)" in " ".join(capsys.readouterr().err.split())
    # A resumed miniature uses the prepared clips, and lists the same files.
    assert cast_real_faces(folder, tmp_path, POPULATION, workers=1) == cast


def test_files_of_one_name_or_folder_are_one_person(tmp_path: Path) -> None:
    names = [
        "a.jpg",
        "a.mp4",
        "b/2.png",
        "b/1.jpg",
        "b.webp",
        "c.JPG",
        ".c.jpg",
        ".d/1.jpg",
        "e.txt",
    ]
    for name in [*names, "f.png", "g.png", "h.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = {
        person: [str(path.relative_to(tmp_path)) for path in files]
        for person, files in find_people(tmp_path).items()
    }
    assert found.pop("b") == ["b/1.jpg", "b/2.png", "b.webp"]
    assert found == {
        "a": ["a.jpg", "a.mp4"],
        "c": ["c.JPG"],
        "f": ["f.png"],
        "g": ["g.png"],
        "h": ["h.png"],
    }


@given(st.integers(3, 500).map(lambda half: 2 * half))
def test_every_split_has_pairs(count: int) -> None:
    splits = split_people(count)
    assert sum(splits) == count
    assert all(split >= 2 and split % 2 == 0 for split in splits)
    assert abs(splits[2] - 0.3 * count) <= 2


def test_real_and_fake_of_a_photograph_have_the_same_camera(folder: Path, tmp_path: Path) -> None:
    MiniFFPP(tmp_path / "mini", POPULATION, faces=folder, videos=("c23",)).generate(workers=2)
    records = scan_ffpp(tmp_path / "mini", "c23").records
    assert len(records) == 6 + 4 * 6
    videos = {record.path: read(record.path) for record in records}
    assert {video.shape for video in videos.values()} == {(4, 128, 128, 3)}
    originals = {path.stem: video for path, video in videos.items() if "youtube" in path.parts}
    for path, video in videos.items():
        difference = np.abs(video.astype(float) - originals[path.stem[:3]])
        assert difference[:, :10, :10].mean() < 4  # the background, which no forgery changes
    apart = np.abs(originals["000"].astype(float) - originals["001"])
    assert apart[:, :10, :10].mean() > 4


def read(path: Path) -> Picture:
    index = index_frames(path)
    return np.stack([frame for _, frame in decode_frames(path, index, range(index.length))])


def test_too_few_usable_people_are_counted_and_nothing_remains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces, out = tmp_path / "faces", tmp_path / "mini"
    for person in range(6):
        save(still(person, size=160), faces / f"{person}.jpg")
    with pytest.raises(SystemExit) as exit_:
        main(["mini-ffpp", f"--out={out}", f"--faces={faces}", "--workers=1"])
    assert exit_.value.code == 2
    lines = " ".join(capsys.readouterr().err.split())
    assert "px around the face, expected at least 176)" in lines
    assert f"error: --faces {faces}: 0 usable people: expected at least 6" in lines
    assert not out.exists()


@given(data=st.data())
@settings(max_examples=60)
def test_the_camera_stays_inside_and_never_enlarges(data: st.DataObject) -> None:
    height, width = data.draw(st.tuples(st.integers(120, 500), st.integers(120, 500)))
    side = data.draw(st.floats(40, 0.9 * min(height, width)))
    left, top = data.draw(st.floats(0, width - side)), data.draw(st.floats(0, height - side))
    box = np.array([left, top, left + side, top + side], np.float32)
    landmarks = box[:2] + side * np.array(
        [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.4, 0.8], [0.6, 0.8]], np.float32
    )
    white = np.full((height, width, 3), 220, np.uint8)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    try:
        clip = film_photograph(white, box, landmarks, 12, 96, rng)
    except UnusableFileError:
        # The view would be smaller than a frame or the face.
        assert min(height, width) < 1.3 * max(96, side) or 2.2 * side < 1.1 * 96
        return
    assert clip.frames.shape == (12, 96, 96, 3)
    assert clip.frames.min() > 180  # outside of the photograph is black
    eyes = np.linalg.norm(clip.landmarks[:, 1] - clip.landmarks[:, 0], axis=1)
    assert (eyes <= 0.4 * side + 1e-3).all()
    steps = np.linalg.norm(np.diff(clip.landmarks, axis=0), axis=2)
    assert 0 < steps.max() < 0.03 * 96


def test_the_landmarks_move_with_the_picture() -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    landmarks = np.array([[120, 140], [180, 140], [150, 165], [130, 190], [170, 190]], np.float32)
    for x, y in landmarks.astype(int):
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    box = np.array([100, 100, 200, 220], np.float32)
    clip = film_photograph(picture, box, landmarks, 8, 160, np.random.default_rng(0))
    for frame, points in zip(clip.frames.mean(axis=3), clip.landmarks, strict=True):
        for x, y in points.round().astype(int):
            window = frame[y - 5 : y + 6, x - 5 : x + 6]
            row, column = np.unravel_index(window.argmax(), window.shape)
            assert abs(row - 5) <= 1
            assert abs(column - 5) <= 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data(), kind=st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_a_damaged_photograph_is_read_or_left_out(
    data: st.DataObject, kind: str, tmp_path: Path
) -> None:
    stored = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(np.arange(2400, dtype=np.uint8).reshape(20, 40, 3)).save(
        stored, kind, exif=exif.tobytes()
    )
    path = tmp_path / "photograph.jpg"
    path.write_bytes(stored.getvalue())
    assert read_photograph(path).shape == (40, 20, 3)
    path.write_bytes(data.draw(damaged(stored.getvalue())))
    with suppress(UnusableFileError):
        assert read_photograph(path).ndim == 3
