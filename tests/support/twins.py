"""Miniature twins of data sets: their trees and official lists, with the videos of the miniature.

Each maker takes the folder to make and real and fake videos, one of each per person.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from datamodules.layouts.celeb_df_pp import SCENARIOS

Videos = list[tuple[Path, Path]]
Make = Callable[[Path, Videos], Path]


def _copy(video: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(video, place)


def celeb_df_pp(root: Path, videos: Videos) -> Path:
    """Every method has one test video; the last person is a stranger's."""
    lines = []
    for number, (real, _) in enumerate(videos):
        _copy(real, root / f"Celeb-real/id{number}_0000.mp4")
    _copy(videos[-1][1], root / "YouTube-real/00170.mp4")
    lines += ["1 Celeb-real/id0_0000.mp4", "1 YouTube-real/00170.mp4"]
    methods = [(scenario, method) for scenario, of in SCENARIOS.items() for method in of]
    for number, (scenario, method) in enumerate(methods):
        video = f"Celeb-synthesis/{scenario}/{method}/id0_id1_{number:04d}.mp4"
        _copy(videos[number % len(videos)][1], root / video)
        # The same content under two names is an error, so that each file gets its own end.
        with (root / video).open("ab") as file:
            file.write((16 + number).to_bytes(4, "big") + b"free" + bytes(8 + number))
        lines.append(f"0 {video}")
    (root / "List_of_testing_videos.txt").write_text("\n".join(lines) + "\n")
    return root


def dfdc(root: Path, videos: Videos) -> Path:
    """Two parts to train on, one in each place where copies have them, and a test set."""
    test = []
    for number, (real, fake) in enumerate(videos):
        names = f"real{number}.mp4", f"fake{number}.mp4"
        if number == len(videos) - 1:
            folder = root / "test"
            test = [f"{names[0]},0", f"{names[1]},1"]
        else:
            folder = root / f"dfdc_train_part_{number}"
            metadata = {
                names[0]: {"label": "REAL", "split": "train"},
                names[1]: {"label": "FAKE", "split": "train", "original": names[0]},
            }
            folder.mkdir(parents=True)
            (folder / "metadata.json").write_text(json.dumps(metadata))
        _copy(real, folder / names[0])
        _copy(fake, folder / names[1])
    (root / "test" / "labels.csv").write_text("\n".join(["filename,label", *test]) + "\n")
    return root


def dfdc_preview(root: Path, videos: Videos) -> Path:
    """Originals and both methods, for training and test."""
    listed = {}
    for number, (real, fake) in enumerate(videos):
        person, other = 1000000 + number, 1000000 + (number ^ 1)
        split = "test" if number > 1 else "train"
        method = "AB"[number % 2]
        original = f"original_videos/{person}/{person}_{method}_001.mp4"
        forged = f"method_{method}/{person}/{person}_{other}_{method}_001.mp4"
        for path, video, label in ((original, real, "real"), (forged, fake, "fake")):
            _copy(video, root / path)
            listed[path] = {"label": label, "set": split}
    (root / "dataset.json").write_text(json.dumps(listed))
    return root


def deeper_forensics(root: Path, videos: Videos) -> Path:
    """The swaps, and FaceForensics++'s originals of their targets."""
    splits = ("train", "train", "val", "test")
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for number, (real, fake) in enumerate(videos):
        name = f"{number:03d}_{'MW'[number % 2]}{101 + number}.mp4"
        _copy(fake, root / "manipulated_videos" / "end_to_end" / name)
        _copy(real, root / f"original_sequences/youtube/c23/videos/{number:03d}.mp4")
        lists[splits[min(number, 3)]].append(name)
    (root / "lists" / "splits").mkdir(parents=True)
    for split, names in lists.items():
        (root / "lists" / "splits" / f"{split}.txt").write_text("\n".join(names) + "\n")
    return root


TWINS: dict[str, Make] = {
    "Celeb-DF++": celeb_df_pp,
    "DFDC": dfdc,
    "DFDC-preview": dfdc_preview,
    "DeeperForensics-1.0": deeper_forensics,
}
