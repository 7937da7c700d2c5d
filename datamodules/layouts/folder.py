import re
from collections.abc import Iterator
from pathlib import Path

from datamodules.layouts.layout import Layout, checked_names, distinct
from datamodules.layouts.record import SPLITS, VideoRecord
from errors import InputError

LABELS = {"real": 0, "fake": 1}
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")


def is_folder_layout(root: Path) -> bool:
    """Return whether a tree has `real/` or `fake/`, or a folder of a split with one of them."""
    parents = [root, *(root / split for split in SPLITS)]
    return any((parent / name).is_dir() for parent in parents for name in LABELS)


def scan_folder(root: Path) -> Layout:
    """List the user's own videos.

    They are in `real/` and `fake/`, or in `train/real/`, `val/fake/` and so on; a folder within
    `fake/` names the method of its videos. Without folders of splits all are test videos: it is
    not known which videos show the same person, so no split would be sound.

    Raises:
        InputError: There is no video, or two videos would get the same name.
    """
    splits = {split: root / split for split in SPLITS if is_folder_layout(root / split)}
    dataset = root.resolve().name
    remark = f"{dataset}: no folders train/, val/ and test/, so all videos are for testing"
    remarks = () if splits else (remark,)
    folders = (splits or {"test": root}).items()
    found = (record for split, folder in folders for record in _records(dataset, split, folder))
    records = distinct(found, "rename one of them")
    if not records:
        msg = f"{root}: no video in real/ and fake/; expected {', '.join(VIDEOS)}"
        raise InputError(msg)
    return Layout(dataset, records, remarks=remarks)


def _records(dataset: str, split: str, folder: Path) -> Iterator[VideoRecord]:
    for name, label in LABELS.items():
        top = folder / name
        found = (path for path in top.rglob("*") if path.suffix.lower() in VIDEOS)
        for path in checked_names(path for path in found if not path.is_dir()):
            above = path.relative_to(top).parts[:-1]
            yield VideoRecord(
                dataset=dataset,
                method=above[0] if above and label else name,
                video=re.sub(r"[^\w.-]", "_", "-".join((*above[label:], path.stem))),
                label=label,
                split=split,
                compression="release",
                path=path,
            )
