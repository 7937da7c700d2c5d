import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.process_pool import console, run_tasks
from errors import InputError

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm")
FEWEST = 6  # one pair a split
PREPARED = ".prepared"
# A clip shows this many times the largest face box, so that some background is left around it.
VIEW = 2.2
LONGEST_SIDE_FOR_DETECTION = 480
GRAIN = 1.2


@dataclass(frozen=True)
class Cast:
    """The usable clips of a folder, prepared, and the files that were left out and why."""

    clips: list[Path]
    left_out: list[dict[str, str]]
    folder: Path

    def split_counts(self) -> tuple[int, int, int]:
        """Identities for train, val and test: about a fifth each for val and test, all even."""
        part = max(2, 2 * (len(self.clips) // 10))
        return len(self.clips) - 2 * part, part, part

    def clear(self) -> None:
        """Remove the prepared clips."""
        shutil.rmtree(self.folder, ignore_errors=True)


def describe_folder(folder: Path) -> dict[str, Any]:
    """Names and sizes of the videos in a folder: what a data set made from it depends on.

    Raises:
        InputError: The folder is not there, or has fewer than six videos.
    """
    if not folder.is_dir():
        msg = f"--faces {folder}: no such folder; expected one with a video file for each identity"
        raise InputError(msg)
    videos = {path.name: path.stat().st_size for path in _videos(folder)}
    if len(videos) < FEWEST:
        msg = (
            f"--faces {folder}: {len(videos)} videos ({', '.join(SUFFIXES)}); at least {FEWEST} "
            "are needed, a pair of identities for each split"
        )
        raise InputError(msg)
    return videos


def cast_real_faces(folder: Path, out: Path, frames: int, size: int, workers: int) -> Cast:
    """Prepare the clips of a folder; what cannot be used is named and left out.

    Raises:
        InputError: Fewer than six videos show a face.
    """
    prepared = out / PREPARED
    prepared.mkdir(exist_ok=True)
    paths = _videos(folder)
    tasks = [(path, prepared / f"{path.name}.npz", frames, size) for path in paths]
    reasons = run_tasks(_prepare, tasks, workers, "Faces in real videos", portable=True)
    clips = [task[1] for task, reason in zip(tasks, reasons, strict=True) if reason is None]
    left_out = [
        {"file": path.name, "reason": reason}
        for path, reason in zip(paths, reasons, strict=True)
        if reason is not None
    ]
    if len(clips) % 2:
        odd = clips.pop()
        left_out.append({"file": odd.stem, "reason": "odd one out, identities come in pairs"})
    for entry in left_out:
        console.print(f"{folder / entry['file']}: left out ({entry['reason']})")
    if len(clips) < FEWEST:
        msg = f"--faces {folder}: a face in {len(clips)} videos only; at least {FEWEST} are needed"
        raise InputError(msg)
    return Cast(clips, left_out, prepared)


def _videos(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()
    )


def _prepare(task: tuple[Path, Path, int, int]) -> str | None:
    """Cut one clip around its face and store it; the reason where that is impossible."""
    path, stored, frames, size = task
    if stored.exists():
        return None
    try:
        pictures = _read_evenly(path, frames)
    except (av.FFmpegError, OSError, IndexError) as error:
        return f"unreadable: {error}"
    if len(pictures) < 2:
        return f"{len(pictures)} readable frames, at least 2 are needed"
    boxes, landmarks = _detect(pictures)
    found = [index for index, points in enumerate(landmarks) if points is not None]
    if len(found) < max(2, len(pictures) // 2):
        return f"a face in {len(found)} of {len(pictures)} frames"
    view = _view(np.stack([boxes[index] for index in found]), pictures[0].shape)
    scale = size / view[2]
    move = np.array([[scale, 0, -scale * view[0]], [0, scale, -scale * view[1]]])
    cut = [_cut(pictures[index], move, scale, size) for index in found]
    placed = [points for points in landmarks if points is not None]
    points = np.stack(placed) @ move[:, :2].T + move[:, 2]
    part = stored.with_name(f"{stored.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(file, frames=np.stack(cut), landmarks=points.astype(np.float32), grain=GRAIN)
    part.replace(stored)
    return None


def _read_evenly(path: Path, count: int) -> list[NDArray[np.uint8]]:
    """Up to `count` evenly spaced frames `[H, W, 3]` of a video."""
    with av.open(path) as container:
        total = sum(1 for packet in container.demux(video=0) if packet.size)
    wanted = set(np.linspace(0, max(total - 1, 0), min(count, total)).round().astype(int).tolist())
    with av.open(path) as container:
        decoded = enumerate(container.decode(video=0))
        kept = [frame for index, frame in decoded if index in wanted]
        return [np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8) for frame in kept]


@cache
def _detector() -> Any:
    import torch
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)
    return MTCNN(select_largest=True, device="cpu")


def _detect(
    pictures: list[NDArray[np.uint8]],
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32] | None]]:
    """Box `[4]` and landmarks `[5, 2]` of the largest face of each frame, in its pixels."""
    boxes, landmarks = [], []
    for picture in pictures:
        shrink = min(1.0, LONGEST_SIDE_FOR_DETECTION / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        box, _, points = _detector().detect(small, landmarks=True)
        boxes.append(np.zeros(4, np.float32) if box is None else box[0] / shrink)
        landmarks.append(None if points is None else (points[0] / shrink).astype(np.float32))
    return boxes, landmarks


def _view(boxes: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Left, top and side of the square that the whole clip is cut to, inside the picture."""
    room = np.array([shape[1], shape[0]], dtype=np.float64)
    middle = np.median((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0)
    side = min(VIEW * float(np.max(boxes[:, 2:] - boxes[:, :2])), float(room.min()))
    left, top = np.clip(middle - side / 2, 0, room - side)
    return float(left), float(top), side


def _cut(
    picture: NDArray[np.uint8], move: NDArray[np.float64], scale: float, size: int
) -> NDArray[np.uint8]:
    """Cut the view out, smoothing first where it shrinks, so that nothing aliases."""
    if scale < 1:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5 / scale), dtype=np.uint8)
    cut = cv2.warpAffine(
        picture, move, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(cut, dtype=np.uint8)
