"""A miniature's folder: its marker, and how an unfinished one is told from a foreign one."""

import json
import os
from pathlib import Path
from typing import Any

from errors import InputError

MARKER = "MINIATURE.json"
UNFINISHED = ".unfinished.json"
VERSION = 1

Settings = dict[str, Any]


def open_miniature(root: Path, settings: Settings) -> dict[str, Any] | None:
    """Prepare a folder for a data set with these settings.

    Args:
        root: The data set's folder.
        settings: Everything that decides the data set's content; JSON.

    Returns:
        The marker's content where the data set is complete already, else None: then files may be
        written, those of an interrupted generation are still there, and `close_miniature` ends it.

    Raises:
        InputError: The folder holds something else, or a data set with other settings.
    """
    if root.exists() and not root.is_dir():
        msg = f"--out {root}: this is a file; give a new or an empty folder"
        raise InputError(msg)
    settings = json.loads(json.dumps(settings))
    for name in (MARKER, UNFINISHED):
        if (root / name).is_file():
            found = _read(root / name)
            if {key: found.get(key) for key in settings} != settings:
                msg = (
                    f"{root}: holds a miniature made with other settings "
                    f"({_difference(found, settings)}); remove it or give another --out"
                )
                raise InputError(msg)
            if name == MARKER:
                return found
            for part in root.rglob("*.part"):
                part.unlink(missing_ok=True)
            return None
    if root.exists() and any(root.iterdir()):
        msg = f"{root}: holds something that is no miniature; give a new or an empty folder"
        raise InputError(msg)
    _make(root)
    write_json(root / UNFINISHED, settings)
    return None


def close_miniature(root: Path, content: dict[str, Any]) -> None:
    """Declare a data set complete: the marker is the last file written."""
    write_json(root / MARKER, content)
    (root / UNFINISHED).unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write JSON so that the file is either absent or whole."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it is either absent or whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _make(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"--out {root}: cannot be made ({error.strerror}); give a folder you may write to"
        raise InputError(msg) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        msg = f"{path}: not readable as a miniature's marker; remove {path.parent} and try again"
        raise InputError(msg)
    return content


def _difference(found: dict[str, Any], wanted: Settings) -> str:
    """The first settings that differ, as `train 6 instead of 120`."""
    flat_found, flat_wanted = _flat(found), _flat(wanted)
    texts = [
        f"{key} {flat_found.get(key)} instead of {value}"
        for key, value in flat_wanted.items()
        if flat_found.get(key) != value
    ]
    return ", ".join(texts[:3])


def _flat(settings: dict[str, Any], group: str = "") -> dict[str, Any]:
    """Settings by name: an amount as `deepfakes.bottleneck`, a parameter as its option."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{group}{key}"
        if isinstance(value, dict):
            flat |= _flat(value, "" if name in ("parameters", "amounts") else f"{name}.")
        else:
            flat[name] = value
    return flat
