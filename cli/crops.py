"""Look at a crop store, check it, or import crops into one."""

import sys
from pathlib import Path


def show(
    store: Path,
    out: Path = Path("crops.png"),
    split: str | None = None,
    columns: int = 12,
    side: int = 96,
) -> None:
    """Draw a contact sheet of a crop store: a row of faces of each method, spread over its videos.

    Args:
        store: The crop store.
        out: PNG to write.
        split: Only this split: train, val or test.
        columns: Faces in a row.
        side: Side of a face, pixels.
    """
    from datamodules.crops.sheet import write_sheet
    from datamodules.crops.store import CropStore

    rows, faces = write_sheet(CropStore(store), out, split, columns, side)
    print(f"{faces} faces in {rows} rows: {out}")


def check(store: Path) -> None:
    """Read every crop of a store and compare it with its checksum; exit status 1 where one differs.

    Args:
        store: The crop store.
    """
    from rich.progress import track

    from datamodules.crops.store import CropStore
    from errors import InputError

    crops = CropStore(store)
    damaged: dict[str, int] = {}
    for index in track(range(len(crops)), "Reading the crops", transient=True):
        try:
            crops.crop(index)
        except InputError as error:
            damaged[str(error)] = damaged.get(str(error), 0) + 1
    for message in damaged:
        print(message)
    print(f"{store}: {len(crops) - sum(damaged.values())} of {len(crops)} crops are as extracted")
    if damaged:
        sys.exit(1)


def import_(
    root: Path,
    out: Path,
    size: int = 256,
) -> None:
    """Import crops that are PNG files, in the folders of DeepfakeBench, into a crop store.

    Run again after an interruption, it goes on where it stopped.

    Args:
        root: FaceForensics++ or Celeb-DF as DeepfakeBench leaves it: .../c23/frames/000/000.png.
        out: Folder of the crop store; new, empty or a crop store with the same settings.
        size: Side of a crop in pixels; others are resized.
    """
    from datamodules.crops.image_import import import_crops

    result = import_crops(root, out, size)
    for line in result.remarks:
        print(line)
    summary = result.summary
    print(f"{result.imported} videos imported just now")
    print(f"{summary['videos']} videos, {summary['crops']} crops in all")
    print(f"unreadable images: {len(summary['frames_without_face'])}")
    print(f"crops     {out}")


ACTIONS = {"show": show, "check": check, "import": import_}
