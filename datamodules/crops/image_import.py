import re
import time
from collections import ChainMap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rich.progress import track

from datamodules.crops.folder_lock import FolderLock
from datamodules.crops.ledger import read_extraction
from datamodules.crops.store import ExtractionSettings
from datamodules.crops.store_writer import CropStoreWriter, VideoCrops
from datamodules.layouts.celeb_df import is_celeb_df, scan_celeb_df
from datamodules.layouts.celeb_df_pp import is_celeb_df_pp, scan_celeb_df_pp
from datamodules.layouts.detect import require_root
from datamodules.layouts.ffpp import DFD, groups_in, scan_ffpp
from datamodules.layouts.layout import Layout, checked_names, reading_tree
from datamodules.layouts.video_list import scan_list
from errors import InputError, require_number
from records.data_info import Extraction

_IMAGES = (".png", ".jpg", ".jpeg")


class Import(NamedTuple):
    """What is missing, the number of videos imported by this call, the store's extraction.json."""

    remarks: Sequence[str]
    imported: int
    summary: Extraction


def import_crops(root: Path | None, out: Path, size: int, image_list: Path | None = None) -> Import:
    """Write crops that are image files into a crop store, resized to `size` pixels.

    Without a list, the root is FaceForensics++ with its split files and images such as
    `<method>/<compression>/frames/071/000.png`, or Celeb-DF or Celeb-DF++ with its list of test
    videos and `Celeb-real/frames/id0_0000/000.png`. Each path of `image_list` is a folder, whose
    images are the frames of a video, or one image.

    Raises:
        InputError: There is neither root nor list, the root has no crops, the list is not valid,
            the store was made with other settings, another process writes into it, or the size is
            out of range.
    """
    require_number("size", size, least=16)
    if image_list is None:
        root = require_root(root)
        with reading_tree(root):
            layouts = _layouts(root)
    else:
        with reading_tree(root or image_list.parent):
            layouts = [scan_list(image_list, root, images=True)]
    settings = ExtractionSettings(size, 1.0, 0, detector="imported", border="imported")
    store = CropStoreWriter(out, settings)
    pending = store.pending([record for layout in layouts for record in layout.records])
    began = time.monotonic()
    if pending or not store.is_finished:
        with FolderLock(out):
            store.create()
            for record in track(pending, "Importing crops", transient=True):
                store.write(record, read_frames(record.path, size))
            missing = ChainMap(*(layout.missing for layout in layouts))
            store.finish(time.monotonic() - began, missing)
    remarks = [line for layout in layouts for line in layout.lines()]
    return Import(remarks, len(pending), read_extraction(out))


def _layouts(root: Path) -> list[Layout]:
    if is_celeb_df_pp(root):
        return [scan_celeb_df_pp(root, images=True)]
    if is_celeb_df(root):
        return [scan_celeb_df(root, images=True)]
    layouts = [
        scan_ffpp(root, compression, methods, images=True)
        for compression, methods in groups_in(root, images=True)
        if methods != [DFD]
    ]
    if not layouts:
        msg = (
            f"{root}: no crops; expected original_sequences/youtube/c23/frames/000/000.png or "
            "Celeb-real/frames/id0_0000/000.png"
        )
        raise InputError(msg)
    return layouts


def read_frames(path: Path, size: int) -> VideoCrops:
    """Read the images of one video: a folder of images, or one image.

    A name of digits is the frame's number. Other images come first, numbered by their position.
    """
    found = checked_names(path.iterdir()) if path.is_dir() else [path]
    files = [one for one in found if one.suffix.lower() in _IMAGES]
    files.sort(key=lambda file: (_frame_number(file, -1), file.name))
    frames, crops, without = [], [], {}
    for position, file in enumerate(files):
        frame = _frame_number(file, position)
        image = _read_image(file)
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
        reason=None if files else f"no image: expected {', '.join(_IMAGES)}",
    )


def _frame_number(path: Path, default: int) -> int:
    return int(path.stem) if re.fullmatch(r"[0-9]{1,9}", path.stem) else default


def _read_image(path: Path) -> Any:
    """Return `[H, W, 3]` RGB, or None for a file that is not an image."""
    content = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_COLOR_RGB) if content.size else None
