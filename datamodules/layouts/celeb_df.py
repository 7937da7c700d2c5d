import re
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from datamodules.layouts.layout import Layout, dataset_name, listed_lines, videos_in
from datamodules.layouts.record import VideoRecord
from errors import InputError

LIST = "List_of_testing_videos.txt"
FOLDERS = {
    "Celeb-real": ("Celeb-real",),
    "YouTube-real": ("YouTube-real", "Youtube-real"),
    "Celeb-synthesis": ("Celeb-synthesis",),
}
"""The names of each method's folder: copies spell one of them differently."""

# The list of v1 has 100 lines, that of v2 has 518.
_LONGEST_V1_LIST = 100


def is_celeb_df(root: Path) -> bool:
    """Return whether a tree has the list or a folder of Celeb-DF."""
    names = (LIST, *(name for spellings in FOLDERS.values() for name in spellings))
    return any((root / name).exists() for name in names)


def scan_celeb_df(root: Path, *, images: bool = False) -> Layout:
    """List the videos of Celeb-DF v1 or v2, and what is missing from it.

    Videos of List_of_testing_videos.txt are in the split "test", all others in "train". In the
    list 1 means real, the opposite of a record's label. With `images`, videos are folders of
    images, `Celeb-real/frames/id0_0000/000.png`, as in DeepfakeBench.

    Raises:
        InputError: The root is not Celeb-DF, or its list is missing, malformed or contradicts the
            folders.
    """
    folders = {
        method: next((root / name for name in names if (root / name).is_dir()), None)
        for method, names in FOLDERS.items()
    }
    if not any(folders.values()):
        msg = f"{root}: not a Celeb-DF tree; expected {', '.join(FOLDERS)} in it"
        raise InputError(msg)
    tested = _read_list(root / LIST)
    version, remarks = _version(root, len(tested))
    dataset = dataset_name(root, f"Celeb-DF-{version}")
    records: list[VideoRecord] = []
    for method, folder in folders.items():
        if folder is not None:
            label = int(method == "Celeb-synthesis")
            records += celeb_records(dataset, method, folder, tested, label=label, images=images)
    if not records:
        expected = "folder of images" if images else ".mp4 video"
        msg = f"{root}: no {expected} in the folders of Celeb-DF"
        raise InputError(msg)
    found = {(record.method, record.video) for record in records}
    return Layout(
        dataset,
        tuple(records),
        missing_methods=tuple(method for method, folder in folders.items() if folder is None),
        missing_videos=tuple("/".join(video) for video in tested if video not in found),
        remarks=() if dataset.startswith("mini-") else remarks,
    )


def celeb_records(
    dataset: str,
    method: str,
    folder: Path,
    tested: Container[tuple[str, str]],
    *,
    label: int,
    images: bool = False,
    slices: Mapping[str, str] | None = None,
) -> Iterator[VideoRecord]:
    """Yield the videos of a method, which are in its folder, or in `videos` or `frames` in it.

    A name is like `id0_0000`, `id0_id1_0000` (target, source) or `00170` (unknown person).
    `tested` has the (method, id) of the test videos.
    """
    level = folder / ("frames" if images else "videos")
    for path in videos_in(level if level.is_dir() else folder, images):
        target, source, *_ = (*re.findall(r"id\d+", path.stem), None, None)
        yield VideoRecord(
            dataset=dataset,
            method=method,
            video=path.stem,
            label=label,
            split="test" if (method, path.stem) in tested else "train",
            compression="release",
            path=path,
            target=target,
            source=source,
            slices=slices or {},
        )


def _version(root: Path, tested: int) -> tuple[str, tuple[str, ...]]:
    """Determine the version by the folder's name, or else by the length of the list."""
    named = re.search(r"v([12])\b", root.resolve().name, flags=re.IGNORECASE)
    if named:
        return f"v{named[1]}", ()
    version = "v1" if tested <= _LONGEST_V1_LIST else "v2"
    return version, (f"{root}: assumed to be Celeb-DF {version}: its list names {tested} videos",)


def _read_list(file: Path) -> dict[tuple[str, str], None]:
    """Return the (method, id) of each test video, in the list's order."""
    expected = "the list of test videos that comes with Celeb-DF"
    tested: dict[tuple[str, str], None] = {}
    for number, line in listed_lines(file, expected, "copy it there"):
        match = re.fullmatch(r"([01])\s+([\w-]+)/(?:videos/)?(\S+)\.mp4", line)
        method = next((m for m, names in FOLDERS.items() if match and match[2] in names), None)
        if match is None or method is None:
            msg = f"{file}, line {number}: {line!r} is not like '1 YouTube-real/00170.mp4'"
            raise InputError(msg)
        if (match[1] == "1") != (method != "Celeb-synthesis"):
            msg = f"{file}, line {number}: {line!r} contradicts its folder (1 means real)"
            raise InputError(msg)
        tested[method, match[3]] = None
    return tested
