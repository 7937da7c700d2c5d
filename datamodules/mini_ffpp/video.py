"""From rendered frames to a video, in the same way for originals, forgeries and masks."""

from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.mini_ffpp.alignment import Array, in_rgb
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.rendering.motion import frame_rate
from records.files import replacing

CRF = {"c23": 23, "c40": 40}
MASKS = "masks"


def draw_grain(clip: Clip, rng: np.random.Generator) -> Array:
    """Draw the grain of one video, `[n, H, W]` grey levels.

    The original and all of its forgeries get the same grain, so that it does not distinguish them.
    """
    noise = rng.standard_normal(clip.frames.shape[:3], dtype=np.float32)
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 0.6) for frame in noise])
    return np.asarray(soft * (1.7 * clip.grain), dtype=np.float32)


def add_grain(frames: Array, grain: Array) -> NDArray[np.uint8]:
    """Add the grain to frames `[n, H, W, 3]`, and round to bytes."""
    pictures = np.empty(frames.shape, dtype=np.uint8)
    for picture, frame, noise in zip(pictures, frames, grain, strict=True):
        noisy = frame + in_rgb(noise) + 0.5
        picture[:] = np.clip(noisy, 0, 255, out=noisy)
    return pictures


def encode(frames: NDArray[np.uint8], path: Path, crf: int) -> None:
    """Write an H.264 video, whole or not at all, unless it exists.

    One thread, a fixed preset and `cpu-independent` make its bytes a function of the frames alone.
    Without the last, x264's macroblock tree uses approximate reciprocals, which differ between
    processors, and at widths that are no multiple of 128 it also reads uninitialized memory.

    Args:
        frames: `[n, H, W, 3]` RGB.
        path: The `.mp4` to write; its folder is created.
        crf: Constant rate factor of libx264.

    Raises:
        InputError: See `replacing`.
    """
    if path.exists():
        return
    with replacing(path, sync=False) as partial, av.open(partial, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=frame_rate(len(frames)))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {
            "crf": str(crf),
            "preset": "medium",
            "threads": "1",
            "x264-params": "cpu-independent=1",
        }
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
