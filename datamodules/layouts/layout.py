from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from datamodules.layouts.record import VideoRecord
from errors import InputError
from records.files import read_record, read_text

_LISTED = 5


@dataclass(frozen=True)
class Layout:
    """The videos of one data set in a tree, and what is missing from it.

    Attributes:
        missing_methods: Methods of the protocol without a folder.
        missing_videos: Videos that a split file or list names without a file, as "method/id".
        remarks: How an ambiguous tree was interpreted.
    """

    dataset: str
    records: tuple[VideoRecord, ...]
    missing_methods: tuple[str, ...] = ()
    missing_videos: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def missing(self) -> dict[str, list[str]]:
        """`missing_videos` under the name of data set and compression, or empty."""
        group = f"{self.dataset} {self.records[0].compression}"
        return {group: list(self.missing_videos)} if self.missing_videos else {}

    def lines(self) -> list[str]:
        """Return what the user should know about this tree, one line each."""
        lines = list(self.remarks)
        if self.missing_methods:
            lines.append(f"{self.dataset}: no folder for {', '.join(self.missing_methods)}")
        if self.missing_videos:
            listed, count = ", ".join(self.missing_videos[:_LISTED]), len(self.missing_videos)
            more = f" and {count - _LISTED} more" if count > _LISTED else ""
            lines.append(f"{self.dataset}: {count} listed videos are missing: {listed}{more}")
        return lines


class _Miniature(msgspec.Struct):
    """The part of MINIATURE.json that names the data set."""

    dataset: Annotated[str, msgspec.Meta(pattern=r"^mini-[^/]+$")]


@contextmanager
def reading_tree(root: Path) -> Iterator[None]:
    """Raise InputError if the root, or a folder in it, is missing or cannot be read."""
    if not root.is_dir():
        msg = f"{root}: no such folder; expected the root of a data set"
        raise InputError(msg)
    try:
        yield
    except OSError as error:
        msg = f"{error.filename}: cannot be read ({error.strerror}); check its permissions"
        raise InputError(msg) from error


def videos_in(folder: Path, images: bool) -> list[Path]:
    """List the videos of a folder, or its folders of images, by name; see `checked_names`."""
    return checked_names(filter(Path.is_dir, folder.iterdir()) if images else folder.glob("*.mp4"))


def checked_names(paths: Iterable[Path]) -> list[Path]:
    """Sort paths, whose names become part of records; InputError if one is not UTF-8."""
    ordered = sorted(paths)
    for path in ordered:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            msg = f"{str(path)!r}: the name is not UTF-8; rename it"
            raise InputError(msg) from error
    return ordered


def distinct(records: Iterable[VideoRecord], remedy: str) -> tuple[VideoRecord, ...]:
    """Return the records; InputError if two videos of a method have one name."""
    found: dict[tuple[str, str], VideoRecord] = {}
    for record in records:
        twin = found.setdefault((record.method, record.video), record)
        if twin is not record:
            msg = f"{record.path}: {twin.path} has the same name; {remedy}"
            raise InputError(msg)
    return tuple(found.values())


def listed_lines(file: Path, expected: str, remedy: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not blank; errors as in `read_text`."""
    for number, line in enumerate(read_text(file, expected, remedy).splitlines(), start=1):
        if text := line.strip():
            yield number, text


def dataset_name(root: Path, official: str) -> str:
    """Return the data set's name: `official`, or that of a miniature's MINIATURE.json.

    A miniature has the official tree; without its own name its results would pass for those of
    the real data set.
    """
    marker = root / "MINIATURE.json"
    if not marker.exists():
        return official
    expected = 'an object with a "dataset" like "mini-..."'
    return read_record(marker, _Miniature, expected, "generate the miniature again").dataset
