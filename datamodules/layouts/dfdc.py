"""The Deepfake Detection Challenge (Dolhansky et al. 2020, arXiv 2006.07397).

The training parts and their metadata.json are those of kaggle.com/c/deepfake-detection-challenge;
DeepfakeBench reads the labelled test set, test/labels.csv, in the same tree.
"""

import csv
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Literal

import msgspec

from datamodules.layouts.layout import Layout, dataset_name, distinct
from datamodules.layouts.record import VideoRecord
from errors import InputError
from records.files import read_record, read_text

DATASET = "DFDC"
SAMPLE = "train_sample_videos"
LABELS = "labels.csv"
_REMEDY = "download it from kaggle.com/c/deepfake-detection-challenge"


class _Entry(msgspec.Struct):
    """A video in metadata.json; `original` is the video that a fake was made from."""

    label: Literal["REAL", "FAKE"]
    original: str | None = None


def is_dfdc(root: Path) -> bool:
    """Return whether a tree has a training part, the sample or the labelled test set."""
    return bool(_parts(root)) or (root / "test" / LABELS).exists()


def scan_dfdc(root: Path) -> Layout:
    """List the videos of DFDC, and what is missing from it.

    The parts `dfdc_train_part_<n>`, in the root or in `train/`, are the split "train", `test/` is
    "test". Who is in a video is not published: the identity of a fake is its original video.

    Raises:
        InputError: A metadata.json or labels.csv is missing or malformed, a video is listed twice,
            or none of them is there.
    """
    dataset = dataset_name(root, DATASET)
    listed = [*_training(root), *_test(root)]
    records, missing = [], {}
    for split, path, label, original in listed:
        method = DATASET if label else "original"
        if not path.is_file():
            missing[f"{method}/{path.stem}"] = path.parent.name
            continue
        records.append(
            VideoRecord(
                dataset=dataset,
                method=method,
                video=path.stem,
                label=label,
                split=split,
                compression="release",
                path=path,
                target=Path(original).stem if original else None,
            )
        )
    if not records:
        msg = f"{root}: none of the {len(listed)} listed videos is there; {_REMEDY}"
        raise InputError(msg)
    remarks = [
        f"{dataset}: identities are not published; a fake counts as the person of its original "
        "video, so that intervals over identities may be too narrow"
    ]
    if missing:
        folders = ", ".join(dict.fromkeys(missing.values()))
        remarks.append(f"{dataset}: listed videos are missing from {folders}")
    videos = distinct(records, "keep and list only one of them")
    return Layout(dataset, videos, missing_videos=tuple(missing), remarks=tuple(remarks))


def _parts(root: Path) -> list[Path]:
    """Return the folders of the training parts in their order, or that of the sample."""
    found = [*root.glob("dfdc_train_part_*"), *root.glob("train/dfdc_train_part_*")]
    numbers = {
        path: int(match[1])
        for path in found
        if path.is_dir() and (match := re.search(r"_(\d+)$", path.name))
    }
    sample = [path for path in [root / SAMPLE] if path.is_dir()]
    return sorted(numbers, key=numbers.__getitem__) or sample


def _training(root: Path) -> Iterator[tuple[str, Path, int, str | None]]:
    expected = 'an object of videos with a "label" of REAL or FAKE and the "original" of a fake'
    for part in _parts(root):
        entries = read_record(part / "metadata.json", dict[str, _Entry], expected, _REMEDY)
        for name, entry in sorted(entries.items()):
            label = int(entry.label == "FAKE")
            yield "train", part / _checked(part, name), label, entry.original if label else name


def _test(root: Path) -> Iterator[tuple[str, Path, int, str | None]]:
    file = root / "test" / LABELS
    if not file.exists():
        return
    expected = "a table of filename and label, 1 for fakes"
    rows = csv.DictReader(StringIO(read_text(file, expected, _REMEDY)))
    for row in rows:
        name, label = row.get("filename"), row.get("label")
        if not name or label not in ("0", "1"):
            msg = f"{file}, line {rows.line_num}: expected {expected}: {_REMEDY}"
            raise InputError(msg)
        yield "test", file.parent / _checked(file, name), int(label), None


def _checked(file: Path, name: str) -> str:
    if not re.fullmatch(r"[\w.-]+\.mp4", name):
        msg = f"{file}: {name!r} is not the name of a video such as aaagqkcdis.mp4; {_REMEDY}"
        raise InputError(msg)
    return name
