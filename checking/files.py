"""The files that a check is about, and those that it writes."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from errors import InputError
from faces.media import IMAGES, VIDEOS


def find_media(paths: Iterable[Path]) -> list[Path]:
    """Return the files to check: files as named, those of folders and patterns by their suffix.

    Raises:
        InputError: A path does not exist, or a folder or pattern has no video or image.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            files = _media(path, "**/*")
            reason, expected = "no video or image in it", "a folder of videos or images"
        elif path.exists():
            files, reason, expected = [path], "", ""
        else:
            root = Path(path.anchor or ".")
            files = _media(root, str(path.relative_to(path.anchor)))
            reason, expected = "no such file", "a file, a folder or a pattern that fits some"
        if not files:
            msg = f"{path}: {reason}, expected {expected}: check the path"
            raise InputError(msg)
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _media(root: Path, pattern: str) -> list[Path]:
    return sorted(
        path
        for path in root.glob(pattern)
        if path.suffix.lower() in IMAGES + VIDEOS
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def printable(path: Path) -> str:
    """Return a path as text; a name that is not UTF-8 gets question marks."""
    return str(path).encode(errors="replace").decode()


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write_whole(path: Path, content: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        InputError: It cannot be written, e.g. because the disk is full.
    """
    partial = path.with_name(f".{path.name}.partial")
    with explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(content, encoding="utf-8", errors="replace")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


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
