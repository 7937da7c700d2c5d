"""Clips of real people, from videos and photographs; a video is cut to a square around its face."""

import shutil
import zlib
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.layouts.layout import checked_names
from datamodules.mini_ffpp import photographs
from datamodules.mini_ffpp.alignment import Array
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.miniature import UnusedFile
from datamodules.mini_ffpp.people import MOST_PEOPLE, Population
from datamodules.mini_ffpp.photographs import UnusableFileError, film_photograph, read_photograph
from datamodules.process_pool import console, run_tasks
from errors import InputError
from faces.containers import UnreadableVideoError
from faces.decoding import decode_frames
from faces.frame_index import index_frames
from records.files import replacing

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm")
SUFFIXES = VIDEOS + photographs.SUFFIXES
FEWEST = 6  # one pair per split
PREPARED = ".prepared"
LONGEST_SIDE_FOR_DETECTION = 480
SMALLEST_FACE = 20  # pixels; MTCNN fails on a picture with a shorter side
SURE = 0.9  # probability from which a detection in a photograph is a person
ANOTHER = 0.25  # share of the largest face's side from which there are several people
GRAIN = 1.2


class Cast(NamedTuple):
    """The prepared clips of a folder, an even number, and the files that were not used."""

    clips: list[Path]
    left_out: list[UnusedFile]


class Face(NamedTuple):
    """Box `[4]` and landmarks `[5, 2]` of a face, in pixels of its frame."""

    box: Array
    landmarks: Array
    probability: float


def face_sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of the videos and photographs by path; they identify the data set.

    Raises:
        InputError: See `find_people`.
    """
    files = [path for paths in find_people(folder).values() for path in paths if path.is_file()]
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def find_people(folder: Path) -> dict[str, list[Path]]:
    """Return each person's videos and photographs, by the name of the folder or the file's stem.

    Raises:
        InputError: The folder is missing or cannot be read, has too few or too many people, or the
            name of a file is not UTF-8.
    """
    people: dict[str, list[Path]] = {}
    try:
        for path in _visible(folder):
            within = path.is_dir()
            files = _visible(path) if within else [path]
            for file in checked_names(one for one in files if one.suffix.lower() in SUFFIXES):
                people.setdefault(path.name if within else path.stem, []).append(file)
    except OSError as error:
        msg = f"--faces {folder}: cannot be read ({error.strerror}): expected a folder of faces"
        raise InputError(msg) from error
    count = sum(any(path.is_file() for path in files) for files in people.values())
    if not FEWEST <= count <= MOST_PEOPLE:
        msg = (
            f"--faces {folder}: {count} people (videos or photographs {', '.join(SUFFIXES)}, or "
            f"folders of them): expected {FEWEST}, one pair per split, to {MOST_PEOPLE}"
        )
        raise InputError(msg)
    return people


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def cast_real_faces(folder: Path, out: Path, population: Population, workers: int) -> Cast:
    """Prepare a clip per person of a folder, and print which files are not used and why.

    Raises:
        InputError: Fewer than six people have a usable file; the prepared clips are deleted.
    """
    prepared = out / PREPARED
    prepare = partial(_prepare, folder=folder, prepared=prepared, population=population)
    people = find_people(folder)
    results = run_tasks(prepare, people.values(), workers, "Real faces", portable=True)
    clips = [clip for clip, _ in results if clip is not None]
    left_out = [file for _, unused in results for file in unused]
    if len(clips) % 2:
        name = str(clips.pop().relative_to(prepared).with_suffix(""))
        left_out.append(UnusedFile(name, "odd number of people, who are paired"))
    for unused in left_out:
        console.print(f"{folder / unused.file}: not used ({unused.reason})", markup=False)
    if len(clips) < FEWEST:
        shutil.rmtree(prepared, ignore_errors=True)
        msg = f"--faces {folder}: {len(clips)} usable people: expected at least {FEWEST}"
        raise InputError(msg)
    return Cast(clips, left_out)


def load_clip(path: Path) -> Clip:
    """Read a prepared clip."""
    with np.load(path, allow_pickle=False) as stored:
        frames = stored["frames"].astype(np.float32)
        return Clip(frames, stored["landmarks"], float(stored["grain"]))


def _prepare(
    files: list[Path], folder: Path, prepared: Path, population: Population
) -> tuple[Path | None, list[UnusedFile]]:
    """Write the clip of a person's first usable file, unless it exists.

    Returns:
        The clip, or None if no file is usable, and the unusable files.
    """
    left_out = []
    for path in files:
        name = str(path.relative_to(folder))
        clip = prepared / f"{name}.npz"
        try:
            if not clip.exists():
                _write(_film(path, name, population), clip)
        except UnusableFileError as error:
            left_out.append(UnusedFile(name, str(error)))
        else:
            return clip, left_out
    return None, left_out


def _write(clip: Clip, path: Path) -> None:
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        frames = np.clip(clip.frames + 0.5, 0, 255).astype(np.uint8)
        np.savez(file, frames=frames, landmarks=clip.landmarks, grain=clip.grain)


def _film(path: Path, name: str, population: Population) -> Clip:
    """Make a clip of a video or a photograph.

    Raises:
        UnusableFileError: It is unreadable, too small, or does not show exactly one face.
    """
    frames, size = population.frames, population.size
    if path.suffix.lower() in VIDEOS:
        return _cut_video(path, frames, size)
    photograph = read_photograph(path)
    faces = [face for face in _detect(photograph) if face.probability >= SURE]
    if not faces:
        msg = "no face"
        raise UnusableFileError(msg)
    sides = [float((face.box[2:] - face.box[:2]).max()) for face in faces]
    people = sum(side >= ANOTHER * sides[0] for side in sides)
    if people > 1:
        msg = f"{people} people"
        raise UnusableFileError(msg)
    rng = population.camera_rng(zlib.crc32(name.encode()))
    return film_photograph(photograph, faces[0].box, faces[0].landmarks, frames, size, rng)


def _cut_video(path: Path, frames: int, size: int) -> Clip:
    """Cut a video to a square around its largest face."""
    try:
        pictures = _read_frames(path, frames)
    except UnreadableVideoError as error:
        msg = f"unreadable: {error}"
        raise UnusableFileError(msg) from error
    if len(pictures) < 2:
        msg = f"{len(pictures)} readable frames, expected at least 2"
        raise UnusableFileError(msg)
    found = [(picture, faces[0]) for picture in pictures if (faces := _detect(picture))]
    if len(found) < max(2, len(pictures) // 2):
        msg = f"a face in {len(found)} of {len(pictures)} frames"
        raise UnusableFileError(msg)
    left, top, side = _view(np.stack([face.box for _, face in found]), pictures[0].shape)
    scale = size / side
    move = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]])
    cut = [_cut(picture, move, scale, size) for picture, _ in found]
    points = np.stack([face.landmarks for _, face in found])
    placed = (points @ move[:, :2].T + move[:, 2]).astype(np.float32)
    return Clip(np.stack(cut).astype(np.float32), placed, GRAIN)


def _read_frames(path: Path, count: int) -> list[NDArray[np.uint8]]:
    """Read `count` evenly spaced frames `[H, W, 3]`, the first and the last included."""
    index = index_frames(path)
    numbers = np.linspace(0, index.length - 1, min(count, index.length)).round().astype(int)
    return [frame for _, frame in decode_frames(path, index, numbers.tolist())]


@cache
def _detector() -> Any:
    # Heavy, and imported in the processes that use it only.
    import torch
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)
    return MTCNN(min_face_size=SMALLEST_FACE, select_largest=True, device="cpu")


def _detect(picture: NDArray[np.uint8]) -> list[Face]:
    """Detect the faces of a frame, the largest first."""
    shrink = min(1.0, LONGEST_SIDE_FOR_DETECTION / max(picture.shape[:2]))
    if shrink * min(picture.shape[:2]) < SMALLEST_FACE:
        return []
    small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    boxes, probabilities, points = _detector().detect(small, landmarks=True)
    if points is None:
        return []
    return [
        Face((box / shrink).astype(np.float32), (five / shrink).astype(np.float32), float(sure))
        for box, five, sure in zip(boxes, points, probabilities, strict=True)
    ]


def _view(boxes: NDArray[np.float32], shape: Sequence[int]) -> tuple[float, float, float]:
    """Return left, top and side of the square inside the frames to which the clip is cut."""
    room = np.array([shape[1], shape[0]], dtype=np.float64)
    middle = np.median((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0)
    side = min(photographs.VIEW * float(np.max(boxes[:, 2:] - boxes[:, :2])), float(room.min()))
    left, top = np.clip(middle - side / 2, 0, room - side)
    return float(left), float(top), side


def _cut(
    picture: NDArray[np.uint8], move: NDArray[np.float64], scale: float, size: int
) -> NDArray[np.uint8]:
    """Cut out the view, smoothed first if it is reduced, to avoid aliasing."""
    if scale < 1:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5 / scale), dtype=np.uint8)
    border = cv2.BORDER_REFLECT_101
    cut = cv2.warpAffine(picture, move, (size, size), flags=cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(cut, dtype=np.uint8)
