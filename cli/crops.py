"""Show a crop store, check it, or import crops into one."""

import sys
from collections import Counter
from pathlib import Path

from rich.progress import track

from datamodules.crops.image_import import import_crops
from datamodules.crops.sheet import write_sheet
from datamodules.crops.store import CropStore
from errors import InputError


def show(
    store: Path,
    out: Path = Path("crops.png"),
    split: str | None = None,
    columns: int = 12,
    side: int = 96,
) -> None:
    """Draw a contact sheet of a crop store: one row of faces per method, from different videos.

    Args:
        store: The crop store.
        out: PNG to write.
        split: Only this split: train, val or test.
        columns: Faces per row.
        side: Side of a face in pixels.
    """
    rows, faces = write_sheet(CropStore(store), out, split, columns, side)
    print(f"{faces} faces in {rows} rows: {out}")


def check(store: Path) -> None:
    """Compare every crop of a store with its checksum; the exit status is 1 if one differs.

    Args:
        store: The crop store.
    """
    crops = CropStore(store)
    damaged: Counter[str] = Counter()
    for index in track(range(len(crops)), "Reading the crops", transient=True):
        try:
            crops.crop(index)
        except InputError as error:
            damaged[str(error)] += 1
    for message in damaged:
        print(message)
    print(f"{store}: {len(crops) - damaged.total()} of {len(crops)} crops are as extracted")
    if damaged:
        sys.exit(1)


def import_(out: Path, root: Path | None = None, list: Path | None = None, size: int = 256) -> None:
    """Import crops that are image files into a crop store: DeepfakeBench's folders, or a list.

    After an interruption, the same command imports the remaining videos.

    Args:
        out: Folder of the crop store; new, empty or a crop store with the same settings.
        root: FaceForensics++, Celeb-DF or Celeb-DF++ with folders of images, as from DeepfakeBench:
            .../c23/frames/000/000.png. With a list: the folder that its paths start from and must
            lie inside.
        list: List with the columns of `two-in-one extract --list`; a path is a folder, whose images
            are the frames of a video, or one image.
        size: Side of a crop in pixels; other images are resized.
    """
    result = import_crops(root, out, size, list)
    for line in result.remarks:
        print(line)
    print(f"{result.imported} videos imported by this command")
    summary = result.summary
    print(f"{summary.videos} videos, {summary.crops} crops in all")
    print(f"unreadable images: {len(summary.frames_without_face)}")
    print(f"crops     {out}")


ACTIONS = {"show": show, "check": check, "import": import_}
