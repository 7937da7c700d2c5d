import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from datamodules.layouts.layout import Layout, dataset_name, videos_in
from datamodules.layouts.record import SPLITS, VideoRecord
from errors import InputError, look_up
from records.files import read_record

ORIGINAL = "original"
PROTOCOL_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
DFD = "DeepFakeDetection"
ACTORS = "actors"
METHODS = (*PROTOCOL_METHODS, "FaceShifter", DFD)
COMPRESSIONS = ("raw", "c23", "c40")

_OFFICIAL_SPLITS = (
    "the official split files are in dataset/splits of the FaceForensics repository "
    "(github.com/ondyari); copy them into the root or into splits/"
)


def is_ffpp(root: Path) -> bool:
    """Return whether a tree has a folder of FaceForensics++."""
    return any((root / f"{kind}_sequences").is_dir() for kind in ("original", "manipulated"))


def scan_ffpp(
    root: Path, compression: str, methods: Sequence[str] | None = None, *, images: bool = False
) -> Layout:
    """List the videos of a FaceForensics++ tree, and what is missing from it.

    Both directions of each pair in the split files are fakes: `["071", "054"]` names `071_054`
    and `054_071`. The originals are always included.

    Args:
        root: Folder with `original_sequences` and `manipulated_sequences`.
        compression: "raw" (or its synonym "c0"), "c23" or "c40".
        methods: Forgery methods to include; None for those of the usual four that have a folder.
            DeepFakeDetection is a data set of its own, with its actors' originals, and all for
            testing, because the official split files do not cover it.
        images: Whether videos are folders of images, `frames/071/000.png`, as in DeepfakeBench.

    Raises:
        InputError: The root is not FaceForensics++; it lacks the originals, the compression, the
            split files or a method requested by name; a name is misspelt.
    """
    look_up("compression", compression, dict.fromkeys(("c0", *COMPRESSIONS)))
    for method in methods or ():
        look_up("method", method, dict.fromkeys((ORIGINAL, *METHODS)))
    if not (root / "original_sequences").is_dir():
        msg = (
            f"{root}: not a FaceForensics++ tree; expected original_sequences/ and "
            "manipulated_sequences/ in it"
        )
        raise InputError(msg)
    dataset = dataset_name(root, "FaceForensics++")
    actors = _scan_dfd(root, dataset, compression, images) if DFD in (methods or ()) else ()
    requested = [name for name in methods or PROTOCOL_METHODS if name != DFD]
    if not requested:
        return Layout(actors[0].dataset, actors)
    absent = () if methods else requested
    missing_methods = tuple(name for name in absent if not _held(root, name, compression, images))
    pairs = _read_splits(root)
    records: list[VideoRecord] = []
    missing_videos: list[str] = []
    for method in dict.fromkeys((ORIGINAL, *requested)):
        if method in missing_methods:
            continue
        found = _videos(root, method, compression, images)
        for split, video in _listed(pairs, method):
            if path := found.get(video):
                records.append(_record(dataset, method, video, split, compression, path))
            else:
                missing_videos.append(f"{method}/{video}")
    if not records:
        msg = f"{root}: has none of the videos that the split files name as {compression}"
        raise InputError(msg)
    return Layout(dataset, (*records, *actors), missing_methods, tuple(missing_videos))


def groups_in(root: Path, images: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Yield a compression and methods for each `scan_ffpp` that covers the whole tree.

    FaceForensics++ and DeepFakeDetection, which share a tree, come one after the other.
    """
    of_ffpp = [ORIGINAL, *(method for method in METHODS if method != DFD)]
    for compression in COMPRESSIONS:
        if held := [name for name in of_ffpp if _held(root, name, compression, images)]:
            yield compression, held
        if any(_held(root, name, compression, images) for name in (ACTORS, DFD)):
            yield compression, [DFD]


def _scan_dfd(root: Path, dataset: str, compression: str, images: bool) -> tuple[VideoRecord, ...]:
    """List DeepFakeDetection: originals `28__scene`, fakes `01_02__scene__ID` (target, source)."""
    miniature = "mini-" if dataset.startswith("mini-") else ""
    records = []
    for method in (ACTORS, DFD):
        for video, path in _videos(root, method, compression, images).items():
            name = re.fullmatch(r"(\d+)(?:_(\d+))?__.+", video)
            if name is None or (name[2] is None) != (method == ACTORS):
                msg = f"{path}: expected names like 28__scene and 01_02__scene__ID"
                raise InputError(msg)
            record = _record(miniature + DFD, method, video, "test", compression, path)
            records.append(replace(record, target=name[1], source=name[2]))
    if not records:
        msg = f"{root}: no video of {DFD} in its folders; download them, or leave the method out"
        raise InputError(msg)
    return tuple(records)


def _read_splits(root: Path) -> dict[str, list[tuple[str, str]]]:
    """Read the pairs of each split, and check that no identity is in two of them."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    split_of: dict[str, str] = {}
    for split in SPLITS:
        file, nested = root / f"{split}.json", root / "splits" / f"{split}.json"
        file = nested if nested.exists() and not file.exists() else file
        expected = 'a list of pairs of video ids such as ["071", "054"]'
        pairs[split] = read_record(file, list[tuple[str, str]], expected, _OFFICIAL_SPLITS)
        for video in chain.from_iterable(pairs[split]):
            if split_of.setdefault(video, split) != split:
                msg = (
                    f"{root}: video {video} is in two splits, {split_of[video]} and {split}; "
                    f"{_OFFICIAL_SPLITS}"
                )
                raise InputError(msg)
    return pairs


def _folders(root: Path, method: str, compression: str, images: bool) -> list[Path]:
    """Return where a method's videos can be; older trees lack the `youtube` level."""
    names = ("raw", "c0") if compression in ("raw", "c0") else (compression,)
    originals = root / "original_sequences"
    parents = {ORIGINAL: [originals / "youtube", originals], ACTORS: [originals / ACTORS]}
    level = "frames" if images else "videos"
    return [
        parent / name / level
        for parent in parents.get(method, [root / "manipulated_sequences" / method])
        for name in names
    ]


def _held(root: Path, method: str, compression: str, images: bool) -> bool:
    return any(folder.is_dir() for folder in _folders(root, method, compression, images))


def _videos(root: Path, method: str, compression: str, images: bool) -> dict[str, Path]:
    """Return the videos of a method by id."""
    folders = _folders(root, method, compression, images)
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        held = [name for name in COMPRESSIONS if _held(root, method, name, images)]
        has = f"; it has {', '.join(held)}" if held else ""
        expected = folders[0].relative_to(root)
        msg = f"{root}: no {method} videos in {compression}: expected {expected}{has}"
        raise InputError(msg)
    return {path.stem: path for path in videos_in(folder, images)}


def _listed(pairs: dict[str, list[tuple[str, str]]], method: str) -> list[tuple[str, str]]:
    """Return (split, id) of a method's videos, in the order of the split files."""
    videos = [
        (split, one if method == ORIGINAL else f"{one}_{other}")
        for split in SPLITS
        for first, second in pairs[split]
        for one, other in ((first, second), (second, first))
    ]
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
