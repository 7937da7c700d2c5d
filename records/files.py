"""Small files: written whole or not at all, read as typed records, with one-line errors."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from errors import InputError

T = TypeVar("T")

PARTIAL = ".partial"
"""Suffix of an unfinished file, whose name begins with a dot."""


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and move the file written there to `path`.

    On an exception the temporary file is removed and `path` keeps its content. With `sync` even a
    power failure leaves the old file or the new one, never a part.

    Raises:
        InputError: The file cannot be written: `path` is a folder, the disk is full, or the folder
            is not writable.
    """
    if path.is_dir():
        msg = f"{path}: a folder, expected the name of a file to write: choose another name"
        raise InputError(msg)
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            if sync:
                with partial.open("rb") as written:
                    os.fsync(written.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = (
            f"{path}: cannot be written ({error.strerror or error}): free some space or choose "
            "another folder, then run the same command again"
        )
        raise InputError(msg) from error


def write_file(path: Path, content: str | bytes, *, sync: bool = True) -> None:
    """Write a file whole or not at all, text as UTF-8; see `replacing`."""
    with replacing(path, sync=sync) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal.

    Raises:
        InputError: The file is missing or cannot be read.
    """
    require_file(path, "a file", "check the path")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_file(path: Path, expected: str, remedy: str) -> None:
    """Check that a path names a regular file; opening a FIFO would wait for ever.

    `expected`, what the file should be, and `remedy`, here as below, are for the message.

    Raises:
        InputError: It is missing, a dangling link, a folder or a device.
    """
    if path.is_file():
        return
    found = "no such file"
    if path.is_dir():
        found = "a folder"
    elif path.is_symlink() and not path.exists():
        found = "a link to a file that does not exist"
    elif path.exists():
        found = "not a regular file"
    msg = f"{path}: {found}, expected {expected}: {remedy}"
    raise InputError(msg)


def read_text(path: Path, expected: str, remedy: str) -> str:
    """Return the content of a UTF-8 text file, without a byte order mark.

    Raises:
        InputError: The file is missing, not a regular file, or not UTF-8.
    """
    require_file(path, expected, remedy)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        msg = f"{path}: {reason}, expected {expected}: {remedy}"
        raise InputError(msg) from error


def read_record(path: Path, type_: type[T], expected: str, remedy: str) -> T:
    """Read a JSON file as a msgspec Struct, or as any type that msgspec decodes to.

    Raises:
        InputError: The file is missing, cut short, not JSON, or a field is missing or of another
            type; the message names the field.
    """
    return decode_record(path, read_text(path, expected, remedy), type_, expected, remedy)


def decode_record(path: Path, text: str, type_: type[T], expected: str, remedy: str) -> T:
    """Decode the JSON text of a file; see `read_record`."""
    with _decoding(path, "JSON", expected, remedy):
        return msgspec.json.decode(text, type=type_)


def read_yaml(path: Path, type_: type[T], expected: str, remedy: str) -> T:
    """Read a YAML file as a typed record; see `read_record`."""
    text = read_text(path, expected, remedy)
    with _decoding(path, "YAML", expected, remedy):
        return msgspec.convert(yaml.safe_load(text), type=type_)


def convert_record(path: Path, content: Any, type_: type[T], expected: str, remedy: str) -> T:
    """Return the content of a YAML file as a typed record; see `read_record`."""
    with _decoding(path, "YAML", expected, remedy):
        return msgspec.convert(content, type=type_)


def write_record(path: Path, record: Any, *, sync: bool = True) -> None:
    """Write a record as JSON, whole or not at all, NaN as null; see `replacing`."""
    content = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
    write_file(path, content, sync=sync)


@contextmanager
def _decoding(path: Path, kind: str, expected: str, remedy: str) -> Iterator[None]:
    try:
        yield
    # PyYAML raises ValueError for a date that does not exist.
    except (msgspec.MsgspecError, yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        msg = f"{path}: cut short or not {kind} ({reason}), expected {expected}: {remedy}"
        if isinstance(error, msgspec.ValidationError):
            msg = f"{path}: {reason}; expected {expected}: {remedy}"
        raise InputError(msg) from error
