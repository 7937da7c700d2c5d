import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import track

from datamodules.crops.store import ExtractionSettings
from datamodules.crops.store_writer import CropStoreWriter, VideoCrops
from datamodules.layouts.celeb_df import scan_celeb_df
from datamodules.layouts.detect import is_ffpp
from datamodules.layouts.ffpp import (
    COMPRESSIONS,
    ORIGINAL,
    PROTOCOL_METHODS,
    scan_ffpp,
    videos_folder,
)
from datamodules.layouts.layout import Layout, existing_root
from errors import InputError


@dataclass(frozen=True)
class Import:
    """What importing crops came to.

    Attributes:
        remarks: What is missing, one line each.
        imported: Videos imported just now.
        summary: The store's extraction.json.
    """

    remarks: Sequence[str]
    imported: int
    summary: Mapping[str, Any]


def import_crops(root: Path, out: Path, size: int) -> Import:
    """Write crops that are image files into a crop store.

    Args:
        root: `<method>/<compression>/frames/071/000.png` in FaceForensics++'s tree, or
            `Celeb-real/frames/id0_0000/000.png`, with the split files or the list beside them.
        out: The crop store.
        size: Side of a crop, pixels; others are resized.

    Raises:
        InputError: The root or the store is not what it must be.
    """
    layouts = _layouts(existing_root(root))
    store = CropStoreWriter(
        out, ExtractionSettings(size, 1.0, 0, detector="imported", border="imported")
    )
    pending = [record for layout in layouts for record in layout.records if not store.has(record)]
    began = time.monotonic()
    missing = {
        f"{layout.dataset} {layout.records[0].compression}": list(layout.missing_videos)
        for layout in layouts
        if layout.missing_videos
    }
    if pending or not store.is_finished:
        store.create()
        for record in track(pending, "Importing crops", transient=True):
            store.write(record, read_frames(record.path, size))
        store.finish(time.monotonic() - began, missing)
    remarks = [line for layout in layouts for line in layout.lines()]
    return Import(remarks, len(pending), store.summary())


def _layouts(root: Path) -> list[Layout]:
    if not is_ffpp(root):
        return [scan_celeb_df(root, images=True)]
    layouts = []
    for compression in COMPRESSIONS[:1] + COMPRESSIONS[2:]:  # raw and c0 are one
        methods = [
            method
            for method in (*PROTOCOL_METHODS, "FaceShifter")
            if videos_folder(root, method, compression, images=True) is not None
        ]
        if methods or videos_folder(root, ORIGINAL, compression, images=True) is not None:
            layouts.append(scan_ffpp(root, compression, methods or [ORIGINAL], images=True))
    if not layouts:
        msg = f"{root}: no crops; expected original_sequences/youtube/c23/frames/000/000.png"
        raise InputError(msg)
    return layouts


def read_frames(folder: Path, size: int) -> VideoCrops:
    """Read the images of one video, in the order of their names; a name may be a frame's number."""
    files = sorted(
        (path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg")),
        key=lambda path: (int(path.stem) if path.stem.isdecimal() else -1, path.name),
    )
    frames, crops, without = [], [], {}
    for place, path in enumerate(files):
        frame = int(path.stem) if path.stem.isdecimal() else place
        image = (
            cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
            if (path.stat().st_size)
            else None
        )
        if image is None:
            without[frame] = "unreadable image"
            continue
        if image.shape[:2] != (size, size):
            image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        frames.append(frame)
        crops.append(image)
    unknown = np.full((len(crops), 4), np.nan)
    return VideoCrops(
        frame_numbers=[*frames, *without],
        crop_frames=frames,
        boxes=unknown,
        probabilities=unknown[:, 0],
        crops=np.array(crops, dtype=np.uint8).reshape(-1, size, size, 3),
        tracks=[0] * len(crops),
        without_crop=without,
        reason=None if files else "no image in the folder",
    )
