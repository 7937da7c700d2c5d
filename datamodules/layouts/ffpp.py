import difflib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from datamodules.layouts.layout import Layout, dataset_name, existing_root, videos_in
from datamodules.layouts.record import VideoRecord
from errors import InputError

ORIGINAL = "original"
PROTOCOL_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
DFD = "DeepFakeDetection"
ACTORS = "actors"
METHODS = (*PROTOCOL_METHODS, "FaceShifter", DFD)
COMPRESSIONS = ("raw", "c0", "c23", "c40")
SPLITS = ("train", "val", "test")

_log = logging.getLogger(__name__)


def read_ffpp(
    root: Path, compression: str, methods: Sequence[str] | None = None
) -> list[VideoRecord]:
    """List the videos of a FaceForensics++ tree; what is missing is logged as a warning.

    Arguments and errors are those of `scan_ffpp`.
    """
    layout = scan_ffpp(root, compression, methods)
    for line in layout.lines():
        _log.warning(line)
    return list(layout.records)


def scan_ffpp(
    root: Path, compression: str, methods: Sequence[str] | None = None, *, images: bool = False
) -> Layout:
    """List the videos of a FaceForensics++ tree, and what is missing from it.

    Both directions of each pair of the split files are fakes: `["071", "054"]` gives `071_054`
    and `054_071`. The originals are always included.

    Args:
        root: Folder with `original_sequences` and `manipulated_sequences`.
        compression: "raw" (or "c0", the same thing), "c23" or "c40".
        methods: Forgeries to include; by default the four of the usual protocol that are there.
            FaceShifter comes in by name. So does DeepFakeDetection, as a data set of its own with
            its actors' originals: the official split files do not cover it, all of it is for
            testing.
        images: The videos are folders of images, `frames/071/000.png`, as DeepfakeBench has them.

    Raises:
        InputError: The root is not FaceForensics++; it lacks the originals, the compression, the
            split files or a method asked for by name; a name is misspelt.
    """
    _check_names(compression, methods)
    existing_root(root)
    if not (root / "original_sequences").is_dir():
        msg = (
            f"{root}: not a FaceForensics++ tree; expected original_sequences/ and "
            f"manipulated_sequences/ in it"
        )
        raise InputError(msg)
    dataset = dataset_name(root, "FaceForensics++")
    wanted = list(PROTOCOL_METHODS if methods is None else dict.fromkeys(methods))
    actors = _scan_dfd(root, dataset, compression, images) if DFD in wanted else ()
    wanted = [name for name in wanted if name != DFD]
    if not wanted:
        return Layout(actors[0].dataset, actors)
    pairs = _read_splits(root)
    records: list[VideoRecord] = []
    missing_methods: list[str] = []
    missing_videos: list[str] = []
    for method in [ORIGINAL, *(name for name in wanted if name != ORIGINAL)]:
        folder = videos_folder(root, method, compression, images)
        if folder is None:
            if method == ORIGINAL or methods is not None:
                raise InputError(_no_folder(root, method, compression))
            missing_methods.append(method)
            continue
        there = {path.stem: path for path in videos_in(folder, images)}
        for split, video in _listed(pairs, method):
            if video in there:
                path = there[video]
                records.append(_record(dataset, method, video, split, compression, path))
            else:
                missing_videos.append(f"{method}/{video}")
    if not records:
        msg = f"{root}: none of the videos that the split files name is there as {compression}"
        raise InputError(msg)
    found = (*records, *actors)
    return Layout(dataset, found, tuple(missing_methods), tuple(missing_videos))


def _scan_dfd(root: Path, dataset: str, compression: str, images: bool) -> tuple[VideoRecord, ...]:
    """List DeepFakeDetection: originals `28__scene`, fakes `01_02__scene__ID` (target, source)."""
    miniature = "mini-" if dataset.startswith("mini-") else ""
    records = []
    for method in (ACTORS, DFD):
        folder = videos_folder(root, method, compression, images)
        if folder is None:
            raise InputError(_no_folder(root, method, compression))
        for path in videos_in(folder, images):
            name = re.fullmatch(r"(\d+)(?:_(\d+))?__.+", path.stem)
            if name is None or (name[2] is None) != (method == ACTORS):
                msg = f"{path}: expected names like 28__scene and 01_02__scene__ID"
                raise InputError(msg)
            record = _record(miniature + DFD, method, path.stem, "test", compression, path)
            records.append(replace(record, target=name[1], source=name[2]))
    return tuple(records)


def _check_names(compression: str, methods: Sequence[str] | None) -> None:
    if compression not in COMPRESSIONS:
        msg = f"compression {compression!r}: expected one of {', '.join(COMPRESSIONS)}"
        raise InputError(msg)
    if methods is not None and not methods:
        msg = f"methods is empty: name some of {', '.join(METHODS)}, or leave it out"
        raise InputError(msg)
    for method in methods or ():
        if method not in (ORIGINAL, *METHODS):
            near = difflib.get_close_matches(method, METHODS, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            msg = f"method {method!r}: expected some of {', '.join(METHODS)}{hint}"
            raise InputError(msg)


def _read_splits(root: Path) -> dict[str, list[tuple[str, str]]]:
    """Read the pairs of each split, and check that no identity is in two of them."""
    pairs = {split: _read_pairs(root, split) for split in SPLITS}
    split_of: dict[str, str] = {}
    for split in SPLITS:
        for video in chain.from_iterable(pairs[split]):
            if split_of.setdefault(video, split) != split:
                msg = (
                    f"{root}: video {video} is in two splits, {split_of[video]} and {split}; "
                    f"take the official split files from dataset/splits of the FaceForensics "
                    f"repository"
                )
                raise InputError(msg)
    return pairs


def _read_pairs(root: Path, split: str) -> list[tuple[str, str]]:
    candidates = [root / f"{split}.json", root / "splits" / f"{split}.json"]
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        msg = (
            f"{root}: no {split}.json, neither there nor in splits/; the official split files "
            f"are in dataset/splits of the FaceForensics repository (github.com/ondyari)"
        )
        raise InputError(msg)
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        pairs = [(first, second) for first, second in content]
        valid = all(isinstance(video, str) for pair in pairs for video in pair)
    except (ValueError, TypeError):
        valid = False
    if not valid:
        msg = f'{file}: expected a list of pairs of video ids such as ["071", "054"]'
        raise InputError(msg)
    return pairs


def videos_folder(root: Path, method: str, compression: str, images: bool = False) -> Path | None:
    """Find the folder of a method's videos; `raw` and `c0` are two names of one compression."""
    names = ("raw", "c0") if compression in ("raw", "c0") else (compression,)
    if method == ORIGINAL:
        parents = [root / "original_sequences" / "youtube", root / "original_sequences"]
    elif method == ACTORS:
        parents = [root / "original_sequences" / ACTORS]
    else:
        parents = [root / "manipulated_sequences" / method]
    level = "frames" if images else "videos"
    folders = [parent / name / level for parent in parents for name in names]
    return next((folder for folder in folders if folder.is_dir()), None)


def _no_folder(root: Path, method: str, compression: str) -> str:
    there = [name for name in COMPRESSIONS if videos_folder(root, method, name) is not None]
    places = {ORIGINAL: "original_sequences/youtube", ACTORS: "original_sequences/actors"}
    where = places.get(method, f"manipulated_sequences/{method}")
    has = f"; there in {', '.join(there)}" if there else ""
    return (
        f"{root}: no {method} videos in {compression}: expected {where}/{compression}/videos{has}"
    )


def _listed(pairs: dict[str, list[tuple[str, str]]], method: str) -> list[tuple[str, str]]:
    """Name the videos of a method, as (split, id), in the order of the split files."""
    videos = []
    for split in SPLITS:
        for first, second in pairs[split]:
            if method == ORIGINAL:
                videos += [(split, first), (split, second)]
            else:
                videos += [(split, f"{first}_{second}"), (split, f"{second}_{first}")]
    return list(dict.fromkeys(videos))


def _record(
    dataset: str, method: str, video: str, split: str, compression: str, path: Path
) -> VideoRecord:
    target, _, source = video.partition("_")
    mask = path.parents[2] / "masks" / "videos" / path.name
    return VideoRecord(
        dataset=dataset,
        method=method,
        video=video,
        label=0 if method in (ORIGINAL, ACTORS) else 1,
        split=split,
        compression="raw" if compression == "c0" else compression,
        path=path,
        target=target,
        source=source or None,
        mask=mask if mask.is_file() else None,
    )
