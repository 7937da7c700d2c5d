"""A list of videos, videos.csv: any data set, one row per video."""

import csv
import difflib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from itertools import compress, pairwise
from pathlib import Path

import pandas as pd

from datamodules.layouts.layout import Layout
from datamodules.layouts.record import SPLITS, VideoRecord
from errors import InputError
from records.files import read_text

REQUIRED = ("path", "label", "method", "split", "identity", "source")
OPTIONAL = ("dataset", "compression", "video")
KNOWN = (*REQUIRED, *OPTIONAL)
# Columns of the manifest and of scores.csv that a slice must not replace.
_TAKEN = (
    "target", "file", "offset", "bytes", "frame", "track", "x0", "y0", "x1", "y1", "probability",
    "checksum", "score", "row",
)  # fmt: skip
_EXPECTED = f"a CSV table with the columns {', '.join(REQUIRED)}"
_REMEDY = "see docs/data.md"
# Each names a folder or a file of the crop store; a compression ends the name of a test set.
_NAME = r"(?!\.\.?$)[^/\x00-\x1f]{1,200}"
_COMPRESSION = r"(?!\.\.?$)[^/\s]{1,200}"
_NAMES = {"dataset": _NAME, "method": _NAME, "compression": _COMPRESSION, "video": _NAME}
_VIDEO = ["dataset", "compression", "method", "video"]


def scan_list(
    file: Path, root: Path | None = None, *, images: bool = False, keep_missing: bool = False
) -> Layout:
    """List the videos of a list, and check every row of it.

    Args:
        file: CSV with the columns REQUIRED, any of OPTIONAL, and further ones, which are slices.
            `label` is 1 for fakes, `identity` is the target and `source` the inserted identity;
            both may be empty if unknown. `dataset` is by default the file's stem, `compression`
            "release", and `video` the stem of the path, unique per method.
        root: Folder that relative paths start from and that every path must lie inside; default:
            the list's folder, and paths may lie anywhere.
        images: Whether a video is a folder of images, or one image.
        keep_missing: Return paths without a file as missing videos.

    Raises:
        InputError: The file is not such a table, a value is not valid, two rows are one video, a
            path is outside the root or has no file, or an identity is in two splits: as target,
            or as source that is a target too.
    """
    table, slices = _read_table(file)
    _check_values(file, table)
    paths = _paths(file, table, root)
    _check_repeats(file, table.assign(path=list(map(str, paths))))
    _check_identities(file, table)
    missing = pd.Series(list(_missing(paths, images)), dtype=bool)
    what = "folder of images" if images else "video"
    if not keep_missing:
        _refuse(file, table, missing, "path", f"without a {what}", "correct or remove them")
    if missing.all():
        msg = f"{file}: none of its {len(table)} paths is a {what}; first {paths[0]}"
        raise InputError(msg)
    records = compress(_records(table, slices, paths), ~missing)
    unknown = int((table["identity"] == "").sum())
    remark = (
        f"{file}: {unknown} videos are of unknown identity: each counts as a person of its own, "
        "and whether a person is in two splits is not known"
    )
    return Layout(
        dataset=", ".join(table["dataset"].unique()),
        records=tuple(records),
        missing_videos=tuple((table["method"] + "/" + table["video"])[missing]),
        remarks=(remark,) if unknown else (),
    )


def _read_table(file: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read the table as text, with the number of its `line`; return the names of slices too."""
    reader = csv.reader(StringIO(read_text(file, _EXPECTED, _REMEDY)), strict=True)
    rows, lines = [], []
    try:
        header = [name.strip() for name in next(reader, [])]
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        msg = f"{file}, line {reader.line_num}: {error}; expected {_EXPECTED}: {_REMEDY}"
        raise InputError(msg) from error
    slices = _check_columns(file, header)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            msg = f"{file}, line {line}: {len(row)} values, expected {len(header)}: {_REMEDY}"
            raise InputError(msg)
    if not rows:
        msg = f"{file}: no row, expected {_EXPECTED}: {_REMEDY}"
        raise InputError(msg)
    table = pd.DataFrame(rows, columns=header, dtype=str)
    for name in header:
        if name != "path":
            table[name] = table[name].str.strip()
    if "dataset" not in table:
        table["dataset"] = file.stem
    if "compression" not in table:
        table["compression"] = "release"
    if "video" not in table:
        table["video"] = [Path(path).stem for path in table["path"]]
    return table.assign(line=lines), slices


def _check_columns(file: Path, header: list[str]) -> list[str]:
    """Refuse columns that are missing, repeated or misspelt; return the names of the slices."""
    further = [name for name in header if name not in KNOWN]
    problem = None
    for name in further:
        similar = difflib.get_close_matches(name.lower(), KNOWN, n=1, cutoff=0.85)
        if not name:
            problem = "a column has no name"
        elif similar:
            problem = f"unknown column {name}: did you mean {similar[0]}?"
        elif name in _TAKEN:
            problem = f"column {name}: the manifest has a column of this name, choose another"
    if absent := [name for name in REQUIRED if name not in header]:
        problem = problem or f"no column {', '.join(absent)}"
    if repeated := [one for one, other in pairwise(sorted(header)) if one == other]:
        problem = f"two columns {repeated[0]}"
    if problem:
        msg = f"{file}: {problem}; expected {_EXPECTED}: {_REMEDY}"
        raise InputError(msg)
    return further


def _check_values(file: Path, table: pd.DataFrame) -> None:
    for name, values in {"label": ("0", "1"), "split": SPLITS}.items():
        wrong = ~table[name].isin(values)
        _refuse(file, table, wrong, name, f"with another {name}", f"use {', '.join(values)}")
    invalid = (table["path"] == "") | table["path"].str.contains("\0", regex=False)
    _refuse(file, table, invalid, "path", "without a valid path", "name the video")
    for name in _NAMES:
        valid = {value: is_name(name, value) for value in table[name].unique()}
        remedy = "use 1 to 200 characters without a slash"
        _refuse(file, table, ~table[name].map(valid), name, f"with an unusable {name}", remedy)
    real, source = table["label"] == "0", table["source"]
    swapped = real & (source != "") & (source != table["identity"])
    remedy = "leave source empty: a real video shows its identity"
    _refuse(file, table, swapped, "source", "of real videos with another source", remedy)


def is_name(column: str, value: str) -> bool:
    """Return whether a data set, method, compression or video can have this name."""
    return re.fullmatch(_NAMES[column], value) is not None


def _check_repeats(file: Path, table: pd.DataFrame) -> None:
    remedy = "add a column video with a name for each, unique per method"
    _refuse(file, table, table.duplicated(_VIDEO), "video", "with the video of another", remedy)
    twice = table.duplicated(["dataset", "path"])
    _refuse(file, table, twice, "path", "with the path of another", "list each file once")


def _check_identities(file: Path, table: pd.DataFrame) -> None:
    targets = table[["dataset", "identity", "split"]]
    sources = table[["dataset", "source", "split"]].set_axis(targets.columns, axis="columns")
    known = pd.MultiIndex.from_frame(targets[["dataset", "identity"]].drop_duplicates())
    sources = sources[pd.MultiIndex.from_frame(sources[["dataset", "identity"]]).isin(known)]
    shown = pd.concat([targets, sources]).drop_duplicates()
    shown = shown[shown["identity"] != ""]
    splits = shown.groupby(["dataset", "identity"], sort=False)["split"]
    shared = shown[splits.transform("size") > 1]
    if not shared.empty:
        dataset, person, _ = shared.iloc[0]
        held = set(splits.get_group((dataset, person)))
        found = " and ".join(split for split in SPLITS if split in held)
        count = len(shared.drop_duplicates(["dataset", "identity"]))
        msg = (
            f"{file}: {count} identities are in two splits, first {person!r} of {dataset} "
            f"({found}); put all videos of a person into one split"
        )
        raise InputError(msg)


def _paths(file: Path, table: pd.DataFrame, root: Path | None) -> list[Path]:
    """Return the paths as they can be opened; refuse those outside a given root."""
    base = root or file.parent
    paths = [Path(os.path.normpath(base / path)) for path in table["path"]]
    if root is not None:
        inside = {folder: _is_inside(folder, root) for folder in {path.parent for path in paths}}
        outside = pd.Series([not inside[path.parent] for path in paths])
        _refuse(file, table, outside, "path", f"outside {root}", "choose another --root, or none")
    return paths


def _is_inside(folder: Path, root: Path) -> bool:
    """Return whether a folder is in the root by its name, or once links are followed."""
    if folder.absolute().is_relative_to(os.path.normpath(root.absolute())):
        return True
    # Path.resolve raises on a link to itself.
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root))


def _missing(paths: list[Path], images: bool) -> Iterator[bool]:
    """Yield whether each path has no file, nor folder of images; every folder is read once."""
    held: dict[Path, set[str]] = {}
    for path in paths:
        folder = path.parent
        if folder not in held:
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
                held[folder] = {e.name for e in entries if e.is_file() or (images and e.is_dir())}
        yield path.name not in held.setdefault(folder, set())


def _records(table: pd.DataFrame, slices: list[str], paths: list[Path]) -> Iterator[VideoRecord]:
    for row, path in zip(table.to_dict("records"), paths, strict=True):
        yield VideoRecord(
            dataset=row["dataset"],
            method=row["method"],
            video=row["video"],
            label=int(row["label"]),
            split=row["split"],
            compression=row["compression"],
            path=path,
            target=row["identity"] or None,
            source=row["source"] or None if row["label"] == "1" else None,
            slices={name: row[name] for name in slices},
        )


def _refuse(
    file: Path, table: pd.DataFrame, wrong: pd.Series, column: str, problem: str, remedy: str
) -> None:
    """Raise InputError for rows that are wrong: their number, and the first of them."""
    if wrong.any():
        first = table[wrong.to_numpy(bool)].iloc[0]
        msg = (
            f"{file}: {wrong.sum()} rows {problem}, first in line {first['line']}: "
            f"{first[column]!r}; {remedy}"
        )
        raise InputError(msg)
