import logging
import re
from pathlib import Path

from datamodules.layouts.layout import Layout, dataset_name, existing_root, videos_in
from datamodules.layouts.record import VideoRecord
from errors import InputError

LIST = "List_of_testing_videos.txt"
# The folders' names on disk, by method: some copies spell the second one differently.
FOLDERS = {
    "Celeb-real": ("Celeb-real",),
    "YouTube-real": ("YouTube-real", "Youtube-real"),
    "Celeb-synthesis": ("Celeb-synthesis",),
}
# The list of v1 has 100 lines, that of v2 has 518.
_LONGEST_V1_LIST = 100

_log = logging.getLogger(__name__)


def read_celeb_df(root: Path) -> list[VideoRecord]:
    """List the videos of a Celeb-DF tree; what is missing is logged as a warning.

    Errors are those of `scan_celeb_df`.
    """
    layout = scan_celeb_df(root)
    for line in layout.lines():
        _log.warning(line)
    return list(layout.records)


def scan_celeb_df(root: Path, *, images: bool = False) -> Layout:
    """List the videos of Celeb-DF v1 or v2, and what is missing from it.

    Split "test" is the list of testing videos, "train" is everything else. The list says 1 for
    real, the other way round from the records. With `images` the videos are folders of images,
    `Celeb-real/frames/id0_0000/000.png`, as DeepfakeBench has them.

    Raises:
        InputError: The root is not Celeb-DF, or its list is missing, malformed or at odds with
            the folders.
    """
    existing_root(root)
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
    if dataset.startswith("mini-"):
        remarks = ()
    records: list[VideoRecord] = []
    for method, folder in folders.items():
        if folder is not None:
            level = folder / ("frames" if images else "videos")
            records += [
                _record(dataset, method, path, (method, path.stem) in tested)
                for path in videos_in(level if level.is_dir() else folder, images)
            ]
    there = {(record.method, record.video) for record in records}
    missing = tuple(f"{method}/{video}" for method, video in tested if (method, video) not in there)
    missing_methods = tuple(method for method, folder in folders.items() if folder is None)
    if not records:
        expected = "folder of images" if images else ".mp4 video"
        msg = f"{root}: no {expected} in the folders of Celeb-DF"
        raise InputError(msg)
    return Layout(dataset, tuple(records), missing_methods, missing, remarks)


def _version(root: Path, tested: int) -> tuple[str, tuple[str, ...]]:
    """Tell v1 from v2 by the folder's name, else by the length of the list."""
    named = re.search(r"v([12])\b", root.resolve().name, flags=re.IGNORECASE)
    if named:
        return f"v{named[1]}", ()
    version = "v1" if tested <= _LONGEST_V1_LIST else "v2"
    return version, (f"{root}: taken for Celeb-DF {version}: its list names {tested} videos",)


def _read_list(file: Path) -> dict[tuple[str, str], None]:
    """Read the test list: (method, id) in the list's order."""
    if not file.is_file():
        msg = f"{file}: no such file; Celeb-DF comes with it, and it names the test videos"
        raise InputError(msg)
    tested: dict[tuple[str, str], None] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        match = re.fullmatch(r"([01])\s+([\w-]+)/(?:videos/)?(\S+)\.mp4", line.strip())
        method = _method(match[2]) if match else None
        if match is None or method is None:
            msg = f"{file}, line {number}: {line.strip()!r} is not like '1 YouTube-real/00170.mp4'"
            raise InputError(msg)
        if (match[1] == "1") != (method != "Celeb-synthesis"):
            msg = f"{file}, line {number}: {line.strip()!r} contradicts its folder (1 means real)"
            raise InputError(msg)
        tested[method, match[3]] = None
    return tested


def _method(folder: str) -> str | None:
    return next((method for method, names in FOLDERS.items() if folder in names), None)


def _record(dataset: str, method: str, path: Path, tested: bool) -> VideoRecord:
    """Names are `id0_0000`, `id0_id1_0000` (target, source) and `00170` (nobody named)."""
    identities = re.findall(r"id\d+", path.stem)
    return VideoRecord(
        dataset=dataset,
        method=method,
        video=path.stem,
        label=1 if method == "Celeb-synthesis" else 0,
        split="test" if tested else "train",
        compression="release",
        path=path,
        target=identities[0] if identities else None,
        source=identities[1] if len(identities) > 1 else None,
    )
