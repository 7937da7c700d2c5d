"""The last step before the codec, the same for originals and forgeries."""

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.mini_ffpp.clip import Clip

Array = NDArray[np.float32]


def draw_grain(clip: Clip, rng: np.random.Generator) -> Array:
    """The grain of one video, `[n, H, W, 1]` grey levels.

    It is drawn once for a target and laid over the original and over each of its forgeries, so
    that grain cannot tell them apart.
    """
    noise = rng.standard_normal(clip.frames.shape[:3], dtype=np.float32)
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 0.6) for frame in noise])
    return np.asarray(soft * (1.7 * clip.grain), dtype=np.float32)[..., None]


def publish(frames: Array, grain: Array) -> NDArray[np.uint8]:
    """Lay the grain over finished frames `[n, H, W, 3]` and round them to bytes."""
    return np.clip(frames + grain + 0.5, 0, 255).astype(np.uint8)
