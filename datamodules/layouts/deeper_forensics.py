"""DeeperForensics-1.0 (Jiang et al., CVPR 2020, arXiv 2001.03024).

Tree, names and splits are those of dataset/README.md in github.com/EndlessSora/DeeperForensics-1.0,
which has the form to ask for the data.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from datamodules.layouts.layout import Layout, dataset_name, listed_lines, videos_in
from datamodules.layouts.record import SPLITS, VideoRecord
from errors import InputError, look_up

DATASET = "DeeperForensics-1.0"
VARIANTS = (
    "end_to_end",
    "reenact_postprocess",
    *(f"end_to_end_level_{level}" for level in range(1, 6)),
    "end_to_end_random_level",
    *(f"end_to_end_mix_{count}_distortions" for count in range(2, 5)),
)
"""The folders of manipulated videos: the swaps, and the swaps with perturbations."""

ORIGINAL = "original"
_ORIGINALS = ("original_sequences/youtube/c23/videos", "original_sequences/c23/videos")


def is_deeper_forensics(root: Path) -> bool:
    """Return whether a tree has the folder of the manipulated videos."""
    return (root / "manipulated_videos").is_dir()


def variants_in(root: Path) -> list[str]:
    """Return the variants that a tree holds."""
    return [name for name in VARIANTS if (root / "manipulated_videos" / name).is_dir()]


def scan_deeper_forensics(root: Path, variants: Sequence[str] | None = None) -> Layout:
    """List the videos of DeeperForensics-1.0, and what is missing from it.

    A fake `000_M101` shows the target 000, of FaceForensics++, with the face of the actor M101. The
    real videos are the targets: FaceForensics++'s originals in c23, which are not part of the data
    set; link or copy its `original_sequences` into the root.

    Args:
        root: Folder with `manipulated_videos` and `lists`.
        variants: Folders of manipulated videos; None for `end_to_end`.

    Raises:
        InputError: A list of a split is missing or malformed, or no manipulated video is there.
    """
    for variant in variants or ():
        look_up("method", variant, dict.fromkeys(VARIANTS))
    dataset = dataset_name(root, DATASET)
    split_of = _read_splits(root / "lists" / "splits")
    requested, held = dict.fromkeys(variants or ("end_to_end",)), variants_in(root)
    absent = [name for name in requested if name not in held]
    folders = {name: root / "manipulated_videos" / name for name in requested if name in held}
    if not folders:
        has = ", ".join(held) or "none"
        msg = f"{root}: no manipulated_videos/{absent[0]}; of the variants it has {has}"
        raise InputError(msg)
    originals = next((root / name for name in _ORIGINALS if (root / name).is_dir()), None)
    if originals:
        folders = {ORIGINAL: originals, **folders}
    records, missing = [], []
    for method, folder in folders.items():
        found = {path.stem: path for path in videos_in(folder, images=False)}
        names = split_of if method != ORIGINAL else {n[:3]: split_of[n] for n in split_of}
        for video, split in names.items():
            target, _, source = video.partition("_")
            if path := found.get(video):
                records.append(
                    VideoRecord(
                        dataset=dataset,
                        method=method,
                        video=video,
                        label=int(method != ORIGINAL),
                        split=split,
                        compression="release",
                        path=path,
                        target=target,
                        source=source or None,
                    )
                )
            else:
                missing.append(f"{method}/{video}")
    if not records:
        msg = f"{root}: has none of the videos that lists/splits names"
        raise InputError(msg)
    remark = f"{dataset}: no real videos; link FaceForensics++'s original_sequences, c23, into it"
    return Layout(
        dataset,
        tuple(records),
        missing_methods=(*absent, *(() if originals else (ORIGINAL,))),
        missing_videos=tuple(missing),
        remarks=() if originals else (remark,),
    )


def _read_splits(folder: Path) -> dict[str, str]:
    """Return the split of each manipulated video, in the order of the lists."""
    split_of: dict[str, str] = {}
    for split in SPLITS:
        file, expected = folder / f"{split}.txt", "a list of manipulated videos"
        for number, line in listed_lines(file, expected, f"copy it from {DATASET}'s lists"):
            match = re.fullmatch(r"(\d{3}_[MW]\d{3})(?:\.mp4)?", line)
            if match is None:
                msg = f"{file}, line {number}: {line!r} is not like '000_M101.mp4'"
                raise InputError(msg)
            if split_of.setdefault(match[1], split) != split:
                msg = f"{file}, line {number}: {line} is also in {split_of[match[1]]}.txt"
                raise InputError(msg)
    return split_of
