"""The preview of the Deepfake Detection Challenge (Dolhansky et al. 2019, arXiv 1910.08854).

DeepfakeBench's preprocessing documents its tree, `original_videos/`, `method_A/` and `method_B/`,
and the fields of its dataset.json. ai.meta.com/datasets/dfdc names where to ask for it.
"""

import re
from pathlib import Path
from typing import Literal

import msgspec

from datamodules.layouts.layout import Layout, dataset_name, distinct
from datamodules.layouts.record import VideoRecord
from errors import InputError
from records.files import read_record

DATASET = "DFDC-preview"
FOLDERS = {"original_videos": "real", "method_A": "fake", "method_B": "fake"}
LIST = "dataset.json"


class _Entry(msgspec.Struct):
    """A video in dataset.json, by its path in the tree."""

    label: Literal["real", "fake"]
    set: Literal["train", "test"]


def is_dfdc_preview(root: Path) -> bool:
    """Return whether a tree has dataset.json and one of its folders."""
    return (root / LIST).exists() and any((root / name).is_dir() for name in FOLDERS)


def scan_dfdc_preview(root: Path) -> Layout:
    """List the videos of the DFDC preview, and what is missing from it.

    Splits and labels are those of dataset.json, which has no validation split.

    Raises:
        InputError: dataset.json is malformed or contradicts a folder, two videos of a method have
            one name, or no video is there.
    """
    expected = 'an object of videos with a "label" of real or fake and a "set" of train or test'
    entries = read_record(
        root / LIST, dict[str, _Entry], expected, "copy it from the download of the preview"
    )
    dataset = dataset_name(root, DATASET)
    records, missing = [], []
    for name, entry in sorted(entries.items()):
        match = re.fullmatch(rf"({'|'.join(FOLDERS)})/(?:[\w.-]+/)*([\w-]+)\.mp4", name)
        if match is None or "/../" in name or FOLDERS[match[1]] != entry.label:
            msg = f"{root / LIST}: {name!r}, {entry.label}, is not like 'method_A/x/y.mp4', fake"
            raise InputError(msg)
        method = "original" if entry.label == "real" else match[1]
        if not (path := root / name).is_file():
            missing.append(f"{method}/{match[2]}")
            continue
        records.append(
            VideoRecord(
                dataset=dataset,
                method=method,
                video=match[2],
                label=int(entry.label == "fake"),
                split=entry.set,
                compression="release",
                path=path,
            )
        )
    if not records:
        msg = f"{root}: none of the {len(entries)} videos of {LIST} is there"
        raise InputError(msg)
    missing_methods = tuple(name for name in FOLDERS if not (root / name).is_dir())
    videos = distinct(records, "extract them with a list instead")
    return Layout(dataset, videos, missing_methods, tuple(missing))
