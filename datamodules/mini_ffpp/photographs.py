"""Clips of still photographs, which a simulated camera moves over."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from datamodules.mini_ffpp.alignment import Array
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.rendering.motion import WAVES, frame_times, smooth_walk
from datamodules.mini_ffpp.rendering.render import draw_sensor_noise

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# Side of a clip's view in sides of the face box, so that some background is visible.
VIEW = 2.2
# Range of the camera: radians, shares of the view's side, and a share of the brightness.
ROLL, PAN, ZOOM, LIGHT = 0.05, 0.02, 0.05, 0.04
FASTEST = 0.5  # hertz
NOISE, GRAIN = (1.0, 2.5), (1.0, 2.2)
# Pixels that bicubic interpolation reads around a point.
KERNEL = 2
# Half the side of the square that contains the camera's view in every frame, in sides of the view.
REACH = (np.cos(ROLL) + np.sin(ROLL)) / 2 + PAN


class UnusableFileError(ValueError):
    """A file of real faces cannot be used; the message is the reason."""


def photographs_of(files: Iterable[str]) -> list[str]:
    """Return the files that are photographs, by their suffix."""
    return [file for file in files if file.lower().endswith(SUFFIXES)]


def read_photograph(path: Path) -> NDArray[np.uint8]:
    """Read a photograph `[H, W, 3]`, RGB, upright according to its metadata.

    Raises:
        UnusableFileError: It is not a regular file, not a picture, or cut short.
    """
    if not path.is_file():
        msg = "unreadable: not a regular file"
        raise UnusableFileError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        msg = "unreadable: too many pixels"
        raise UnusableFileError(msg) from error
    except (OSError, SyntaxError, ValueError) as error:  # Pillow calls a broken PNG a SyntaxError
        msg = "unreadable: not a picture, or cut short"
        raise UnusableFileError(msg) from error


def film_photograph(
    photograph: NDArray[np.uint8],
    box: Array,
    landmarks: Array,
    frames: int,
    size: int,
    rng: np.random.Generator,
) -> Clip:
    """Move a camera over a photograph: smooth pan, zoom and rotation, changing light, sensor noise.

    No frame is enlarged or shows anything outside of the photograph.

    Args:
        photograph: `[H, W, 3]`.
        box: `[4]`, the face's x0, y0, x1, y1 in pixels.
        landmarks: `[5, 2]` pixels (x, y).
        frames: Number of frames.
        size: Width and height of a frame in pixels.
        rng: Draws the motion, the light and the noise.

    Raises:
        UnusableFileError: The view that fits into the photograph is smaller than a frame, or than
            the face.
    """
    room = np.array([photograph.shape[1], photograph.shape[0]]) - 1.0
    face = float((box[2:] - box[:2]).max())
    widest = min(VIEW * face, float(room.min() / 2 - KERNEL) / REACH)
    closest = widest * (1 - ZOOM)
    if closest < size:
        msg = f"too small: {max(0, int(closest))} px around the face, expected at least {size}"
        raise UnusableFileError(msg)
    if closest < face:
        msg = f"too close: the face has {face:.0f} px, the view around it {closest:.0f}"
        raise UnusableFileError(msg)

    time = frame_times(frames)
    pan_x, pan_y, zoom, roll, light = (
        smooth_walk(rng, time, FASTEST) / sum(WAVES) for _ in range(5)
    )
    sides = widest * (1 - ZOOM * (1 + zoom) / 2)
    edge = REACH * widest + KERNEL
    middle = np.clip((box[:2] + box[2:]) / 2, edge, room - edge)
    centres = middle + PAN * widest * np.stack([pan_x, pan_y], axis=1)
    # A lens as sharp as the coarsest frame can show, to avoid aliasing.
    blur = 0.5 * float(np.sqrt(np.square(widest / size) - 1))
    focused = cv2.GaussianBlur(photograph.astype(np.float32), (0, 0), blur)
    noise = rng.uniform(*NOISE)
    pictures, points = [], []
    for centre, side, turn, gain in zip(
        centres, sides, ROLL * roll, 1 + LIGHT * light, strict=True
    ):
        move = _camera(centre, side, turn, size)
        picture = cv2.warpAffine(focused, move, (size, size), flags=cv2.INTER_CUBIC)
        picture = picture * np.float32(gain) + draw_sensor_noise(rng, size, noise)
        pictures.append(np.clip(picture, 0, 255))
        points.append(landmarks @ move[:, :2].T + move[:, 2])
    return Clip(
        np.stack(pictures).astype(np.float32),
        np.stack(points).astype(np.float32),
        float(rng.uniform(*GRAIN)),
    )


def _camera(
    centre: NDArray[np.float64], side: float, turn: float, size: int
) -> NDArray[np.float64]:
    """Return the matrix `[2, 3]` from a photograph's pixels to those of a frame."""
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = size / side * np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([matrix, (size - 1) / 2 - matrix @ centre])
