"""Celeb-DF++ (Li et al. 2025, arXiv 2507.18015): 22 forgery methods in three scenarios.

Tree and split are those of the authors' repository (github.com/OUC-VAS/Celeb-DF-PP), where the data
set can be requested.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from datamodules.layouts.celeb_df import LIST, celeb_records
from datamodules.layouts.layout import Layout, dataset_name, listed_lines
from datamodules.layouts.record import VideoRecord
from errors import InputError

DATASET = "Celeb-DF++"
REALS = ("Celeb-real", "YouTube-real")
SCENARIOS = {
    "FaceSwap": (
        "Celeb-DF", "BlendFace", "GHOST", "HifiFace", "InSwapper", "MobileFaceSwap", "SimSwap",
        "UniFace",
    ),
    "FaceReenact": (
        "DaGAN", "FSRT", "HyperReenact", "LIA", "LivePortrait", "MCNET", "TPSMM",
    ),
    "TalkingFace": (
        "AniTalker", "EchoMimic", "EDTalk", "FLOAT", "IP_LAP", "Real3DPortrait", "SadTalker",
    ),
}  # fmt: skip
"""The methods of each scenario."""

LISTED = {"Celeb-real": 108, "YouTube-real": 70} | {
    method: 300 if scenario == "TalkingFace" else 200
    for scenario, methods in SCENARIOS.items()
    for method in methods
}
"""Number of test videos per method; those of the real ones are Celeb-DF v2's."""

_SPELLINGS = {"Celeb-DF-v2": "Celeb-DF", "Youtube-real": "YouTube-real"}


def is_celeb_df_pp(root: Path) -> bool:
    """Return whether a tree has a folder of a scenario."""
    return any((root / "Celeb-synthesis" / scenario).is_dir() for scenario in SCENARIOS)


def scan_celeb_df_pp(root: Path, *, images: bool = False) -> Layout:
    """List the videos of Celeb-DF++, and what is missing from it.

    Videos of List_of_testing_videos.txt are in the split "test", all others in "train". The slice
    `scenario` of a fake is that of its method. With `images`, videos are folders of images, in the
    folder of their method or in `frames` in it.

    Raises:
        InputError: The list is missing or malformed, or the folders hold no video.
    """
    tested = _read_list(root / LIST)
    dataset = dataset_name(root, DATASET)
    records: list[VideoRecord] = []
    missing_methods = []
    for method, scenario, folder in _folders(root):
        if folder is None:
            missing_methods.append(method)
            continue
        label, slices = int(scenario is not None), {"scenario": scenario or ""}
        records += celeb_records(
            dataset, method, folder, tested, label=label, images=images, slices=slices
        )
    if not records:
        expected = "folder of images" if images else ".mp4 video"
        msg = f"{root}: no {expected} in the folders of {DATASET}"
        raise InputError(msg)
    found = {(record.method, record.video) for record in records}
    return Layout(
        dataset,
        tuple(records),
        missing_methods=tuple(missing_methods),
        missing_videos=tuple("/".join(video) for video in tested if video not in found),
        remarks=() if dataset.startswith("mini-") else tuple(_unlike_the_published(root, tested)),
    )


def _folders(root: Path) -> Iterator[tuple[str, str | None, Path | None]]:
    """Yield each method, its scenario (None for real videos) and its folder, None if missing."""
    places: list[tuple[str, str | None, Path]] = [(method, None, root) for method in REALS]
    for scenario, methods in SCENARIOS.items():
        places += [(m, scenario, root / "Celeb-synthesis" / scenario) for m in methods]
    for method, of, parent in places:
        names = [method, *(name for name, meant in _SPELLINGS.items() if meant == method)]
        yield method, of, next((parent / n for n in names if (parent / n).is_dir()), None)


def _read_list(file: Path) -> dict[tuple[str, str], None]:
    """Return the (method, id) of each test video; the folder tells a fake from a real."""
    expected = f"the list of test videos that comes with {DATASET}"
    tested: dict[tuple[str, str], None] = {}
    for number, line in listed_lines(file, expected, "copy it there"):
        match = re.fullmatch(r"[01]\s+(?:\S+/)?([\w-]+)/(?:videos/)?([^/\s]+)\.mp4", line)
        method = _SPELLINGS.get(match[1], match[1]) if match else None
        if match is None or method not in LISTED:
            msg = (
                f"{file}, line {number}: {line!r} is not like '1 YouTube-real/00170.mp4' or "
                "'0 Celeb-synthesis/FaceSwap/BlendFace/id0_id1_0000.mp4'"
            )
            raise InputError(msg)
        tested[method, match[2]] = None
    return tested


def _unlike_the_published(root: Path, tested: dict[tuple[str, str], None]) -> Iterator[str]:
    counts = dict.fromkeys(LISTED, 0)
    for method, _ in tested:
        counts[method] += 1
    if other := [method for method, count in counts.items() if count != LISTED[method]]:
        yield (
            f"{root / LIST}: names {counts[other[0]]} videos of {other[0]}, the published list "
            f"{LISTED[other[0]]}; {len(other)} of {len(LISTED)} methods differ"
        )
