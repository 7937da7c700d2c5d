"""Rendered faces: frames to detect in, and a small crop store of 256 px."""

import itertools
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datamodules.crops.store import ExtractionSettings
from datamodules.crops.store_writer import CropStoreWriter, VideoCrops
from datamodules.layouts.record import VideoRecord
from datamodules.mini_ffpp.rendering.identity import sample_identity
from datamodules.mini_ffpp.rendering.render import render_clip

SIZE = 256
METHODS = ("original", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def render_faces(people: int, frames: int, size: int = SIZE) -> NDArray[np.uint8]:
    """Render frames with one face each, `[people, frames, size, size, 3]`."""
    faces = []
    for person in range(people):
        rng = np.random.default_rng(person)
        identity = sample_identity(rng, person / people)
        faces.append(render_clip(identity, rng, frames, size).frames)
    return np.asarray(faces).astype(np.uint8)


def small_store(folder: Path, people: int, frames: int) -> Path:
    """Write a store of original and forged videos of FaceForensics++, unless it exists.

    A fake is blurred in its middle, so that it can be learned. Eight frames per person are
    rendered; the others are those mirrored or shifted.

    Args:
        folder: The store.
        people: Number of training people, even; two more are for validation, two for the test.
        frames: Crops per original video; a forged one has eight at most.
    """
    writer = CropStoreWriter(folder, ExtractionSettings(SIZE, 1.3, frames))
    if writer.is_finished:
        return folder
    writer.create()
    splits = ["train"] * people + ["val"] * 2 + ["test"] * 2
    rendered = render_faces(min(len(splits), 8), min(frames, 8))
    for (person, split), method in itertools.product(enumerate(splits), METHODS):
        numbers = list(range(frames if method == "original" else min(frames, 8)))
        boxes = np.zeros((len(numbers), 4))
        own = rendered[person % len(rendered)]
        crops = np.stack([_shifted(own[n % len(own)], person + n // len(own)) for n in numbers])
        if method != "original":
            crops = np.stack([_forged(crop, 1 + METHODS.index(method)) for crop in crops])
        name = f"{person:03d}"
        other = f"{person ^ 1:03d}"  # the people are paired within their splits
        record = VideoRecord(
            "FaceForensics++",
            method,
            name if method == "original" else f"{name}_{other}",
            int(method != "original"),
            split,
            "c23",
            folder / "none",
            target=name,
            source=None if method == "original" else other,
        )
        found = VideoCrops(numbers, numbers, boxes, boxes[:, 0], crops, [0] * len(numbers), {})
        writer.write(record, found)
    writer.finish(0.0)
    return folder


def _shifted(crop: NDArray[np.uint8], amount: int) -> NDArray[np.uint8]:
    return np.roll(crop[:, ::-1] if amount % 2 else crop, amount, axis=(0, 1))


def _forged(crop: NDArray[np.uint8], strength: int) -> NDArray[np.uint8]:
    forged = crop.copy()
    middle = slice(SIZE // 4, -SIZE // 4)
    forged[middle, middle] = cv2.GaussianBlur(crop[middle, middle], (0, 0), 0.5 * strength)
    return forged
