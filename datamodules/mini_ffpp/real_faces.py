"""Clips of real people: each video is cut to a square around its face."""

import shutil
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.miniature import UnusedFile
from datamodules.mini_ffpp.people import Population
from datamodules.process_pool import console, run_tasks
from errors import InputError
from faces.decoding import UnreadableVideoError, decode_frames, index_frames
from records.files import replacing

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm")
FEWEST = 6  # one pair per split
PREPARED = ".prepared"
# Side of a clip in sizes of the largest face box, so that some background is visible.
VIEW = 2.2
LONGEST_SIDE_FOR_DETECTION = 480
GRAIN = 1.2


class Cast(NamedTuple):
    """The prepared clips of a folder, an even number, and the files that were not used."""

    clips: list[Path]
    left_out: list[UnusedFile]


class Face(NamedTuple):
    """Box `[4]` and landmarks `[5, 2]` of a face, in pixels of its frame."""

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]


def video_sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of the videos in a folder by name; they identify the data set.

    Raises:
        InputError: The folder is missing or cannot be read, or has fewer than six videos.
    """
    try:
        videos = {path.name: path.stat().st_size for path in _videos(folder) if path.is_file()}
    except OSError as error:
        msg = (
            f"--faces {folder}: cannot be read ({error.strerror}): expected a folder with "
            "one video per person"
        )
        raise InputError(msg) from error
    if len(videos) < FEWEST:
        msg = (
            f"--faces {folder}: {len(videos)} videos ({', '.join(SUFFIXES)}): expected at least "
            f"{FEWEST}, one pair of people per split"
        )
        raise InputError(msg)
    return videos


def cast_real_faces(folder: Path, out: Path, population: Population, workers: int) -> Cast:
    """Prepare the clips of a folder, and print which files are not used and why.

    Raises:
        InputError: A face is found in fewer than six videos; the prepared clips are deleted.
    """
    prepared, paths = out / PREPARED, _videos(folder)
    clips = [prepared / f"{path.name}.npz" for path in paths]
    prepare = partial(_prepare, frames=population.frames, size=population.size)
    tasks = list(zip(paths, clips, strict=True))
    reasons = run_tasks(prepare, tasks, workers, "Faces in real videos", portable=True)
    clips = [clip for clip, reason in zip(clips, reasons, strict=True) if reason is None]
    left_out = [
        UnusedFile(path.name, reason)
        for path, reason in zip(paths, reasons, strict=True)
        if reason is not None
    ]
    if len(clips) % 2:
        left_out.append(UnusedFile(clips.pop().stem, "odd number of people, who are paired"))
    for unused in left_out:
        console.print(f"{folder / unused.file}: not used ({unused.reason})")
    if len(clips) < FEWEST:
        shutil.rmtree(prepared, ignore_errors=True)
        msg = f"--faces {folder}: a face in {len(clips)} videos: expected at least {FEWEST}"
        raise InputError(msg)
    return Cast(clips, left_out)


def load_clip(path: Path) -> Clip:
    """Read a prepared clip."""
    with np.load(path, allow_pickle=False) as stored:
        return Clip(
            stored["frames"].astype(np.float32), stored["landmarks"], float(stored["grain"])
        )


def _videos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _prepare(task: tuple[Path, Path], frames: int, size: int) -> str | None:
    """Cut one clip around its face and write it; return the reason if that is impossible."""
    path, prepared = task
    if prepared.exists():
        return None
    try:
        pictures = _read_frames(path, frames)
    except UnreadableVideoError as error:
        return f"unreadable: {error}"
    if len(pictures) < 2:
        return f"{len(pictures)} readable frames, expected at least 2"
    detected = [_detect(picture) for picture in pictures]
    found = [(picture, face) for picture, face in zip(pictures, detected, strict=True) if face]
    if len(found) < max(2, len(pictures) // 2):
        return f"a face in {len(found)} of {len(pictures)} frames"
    left, top, side = _view(np.stack([face.box for _, face in found]), pictures[0].shape)
    scale = size / side
    move = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]])
    cut = [_cut(picture, move, scale, size) for picture, _ in found]
    points = np.stack([face.landmarks for _, face in found])
    placed = (points @ move[:, :2].T + move[:, 2]).astype(np.float32)
    with replacing(prepared) as unfinished, unfinished.open("wb") as file:
        np.savez(file, frames=np.stack(cut), landmarks=placed, grain=GRAIN)
    return None


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
    return MTCNN(select_largest=True, device="cpu")


def _detect(picture: NDArray[np.uint8]) -> Face | None:
    """Detect the largest face of a frame."""
    shrink = min(1.0, LONGEST_SIDE_FOR_DETECTION / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    box, _, points = _detector().detect(small, landmarks=True)
    if points is None:
        return None
    return Face(box[0] / shrink, (points[0] / shrink).astype(np.float32))


def _view(boxes: NDArray[np.float32], shape: Sequence[int]) -> tuple[float, float, float]:
    """Return left, top and side of the square inside the frames to which the clip is cut."""
    room = np.array([shape[1], shape[0]], dtype=np.float64)
    middle = np.median((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0)
    side = min(VIEW * float(np.max(boxes[:, 2:] - boxes[:, :2])), float(room.min()))
    left, top = np.clip(middle - side / 2, 0, room - side)
    return float(left), float(top), side


def _cut(
    picture: NDArray[np.uint8], move: NDArray[np.float64], scale: float, size: int
) -> NDArray[np.uint8]:
    """Cut out the view, smoothed first if it is reduced, to avoid aliasing."""
    if scale < 1:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5 / scale), dtype=np.uint8)
    cut = cv2.warpAffine(
        picture, move, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(cut, dtype=np.uint8)
