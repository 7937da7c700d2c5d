"""Find the files to check, and write results whole or not at all."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from errors import InputError
from faces.media import IMAGES, VIDEOS


class Found(NamedTuple):
    """What paths lead to.

    Attributes:
        files: The files to check, each once.
        named: Those that a path names, rather than a folder or a pattern; resolved.
        missing: One line for each path that leads to no file.
    """

    files: list[Path]
    named: set[Path]
    missing: list[str]


def find_media(paths: Iterable[Path]) -> Found:
    """Find the files to check: files as named, those of folders and patterns by their suffix."""
    found: dict[Path, Path] = {}
    named: set[Path] = set()
    missing: list[str] = []
    for path in paths:
        files: list[Path] = []
        locked: list[Path] = []
        reason = "no such file"
        expected = "a file, a folder or a pattern that fits some"
        try:
            if path.is_dir():
                reason, expected = "no video or image in it", "a folder of videos or images"
                files, locked = _in_folder(path)
            elif path.exists():
                files = [path]
                named.add(path.resolve())
            else:
                files = _that_fit(path)
        except (OSError, ValueError) as error:  # e.g. a name that is too long, or "**.mp4"
            reason = getattr(error, "strerror", None) or str(error)
        missing += [f"{printable(one)}: cannot be read: check its rights" for one in locked]
        if not files and not locked:
            missing.append(f"{printable(path)}: {reason}, expected {expected}: check the path")
        for file in files:
            found.setdefault(file.resolve(), file)
    return Found(list(found.values()), named, missing)


def _in_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the media in a folder, without hidden ones, and the folders that cannot be read."""
    files, locked = [], []
    for parent, folders, names in os.walk(
        folder, onerror=lambda e: locked.append(Path(e.filename))
    ):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(filter(_is_media, files)), locked


def _that_fit(pattern: Path) -> list[Path]:
    """Return the media that fit a pattern, without hidden ones that it does not name."""
    shown, root = {".", "..", *pattern.parts}, Path(pattern.anchor or ".")
    return sorted(
        path
        for path in root.glob(str(pattern.relative_to(pattern.anchor)))
        if _is_media(path) and all(part in shown or not part.startswith(".") for part in path.parts)
    )


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in IMAGES + VIDEOS and path.is_file()


def printable(path: Path) -> str:
    """Return a path as text; a name that is not UTF-8 gets question marks."""
    return str(path).encode(errors="replace").decode()


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def refuse_folder(path: Path) -> None:
    """Check, before the work that fills it, that a file can have this path.

    Raises:
        InputError: The path is a folder's.
    """
    if path.is_dir():
        msg = f"{path}: a folder, expected the name of a file to write: choose another name"
        raise InputError(msg)


def write_whole(path: Path, content: str) -> None:
    """Write a text file whole or not at all; a link or a device is written to.

    Raises:
        InputError: It cannot be written, e.g. because the disk is full.
    """
    partial = path.with_name(f".{path.name}.partial")
    with explaining(path):
        # E.g. /dev/stdout, which must not be replaced.
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_text(content, encoding="utf-8", errors="replace")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(content, encoding="utf-8", errors="replace")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def printing(stream: IO[str]) -> Iterator[None]:
    """Turn an error of printing to a stream, which is closed or full, into an InputError."""
    with explaining(Path("standard output")):
        try:
            yield
        except OSError:
            # What is left in its buffer would fail once more when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            raise


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn an error of writing a file or folder into an InputError."""
    try:
        yield
    except OSError as error:
        msg = (
            f"{path}: cannot be written ({error.strerror or error}): free some space or choose "
            "another folder, then run the same command again"
        )
        raise InputError(msg) from error
