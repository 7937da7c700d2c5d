import re
from collections.abc import Iterator
from pathlib import Path

from datamodules.layouts.layout import Layout, existing_root
from datamodules.layouts.record import VideoRecord
from errors import InputError

LABELS = {"real": 0, "fake": 1}
SPLITS = ("train", "val", "test")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")


def is_folder_layout(root: Path) -> bool:
    """Tell whether `real/` and `fake/` are there, or such folders of splits."""
    places = [root, *(root / split for split in SPLITS)]
    return any((place / name).is_dir() for place in places for name in LABELS)


def scan_folder(root: Path) -> Layout:
    """List a person's own videos.

    They lie in `real/` and `fake/`, or in `train/real/`, `val/fake/` and so on; a folder within
    `fake/` is the method of the videos in it. Without folders of splits all are test videos:
    which videos show the same person is not known, so no split made here would be sound.

    Raises:
        InputError: There is no video, or two would have one name.
    """
    existing_root(root)
    places = {split: root / split for split in SPLITS if is_folder_layout(root / split)}
    remarks: tuple[str, ...] = ()
    if not places:
        places = {"test": root}
        remarks = (
            f"{root.name}: no train/, val/ and test/ with real/ and fake/ in them, so all videos "
            f"are for testing",
        )
    records: dict[tuple[str, str], VideoRecord] = {}
    for split, place in places.items():
        for record in _records(root.resolve().name, split, place):
            twin = records.setdefault((record.method, record.video), record)
            if twin is not record:
                msg = f"{record.path}: {twin.path} has the same name; rename one of them"
                raise InputError(msg)
    if not records:
        msg = f"{root}: no video in real/ and fake/; expected {', '.join(VIDEOS)}"
        raise InputError(msg)
    return Layout(root.resolve().name, tuple(records.values()), remarks=remarks)


def _records(dataset: str, split: str, place: Path) -> Iterator[VideoRecord]:
    for name, label in LABELS.items():
        folder = place / name
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in VIDEOS and path.is_file():
                above = path.relative_to(folder).parts[:-1]
                yield VideoRecord(
                    dataset=dataset,
                    method=above[0] if above and label else name,
                    video=re.sub(r"[^\w.-]", "_", "-".join((*above[label:], path.stem))),
                    label=label,
                    split=split,
                    compression="release",
                    path=path,
                )
