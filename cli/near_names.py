"""What the parser does not know, and the names that are near it."""

import importlib
import inspect
import re
from collections.abc import Iterable
from typing import Any, get_type_hints

from errors import near

_UNKNOWN = re.compile(r"unrecognized arguments: --([\w.]+)|Option '([\w.]+)' is not accepted")
_OF_CLASS = re.compile(r"given class_path '([\w.]+)'")
_NOT_IN_MODULE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")


def suggest(message: str) -> str:
    """Give ": did you mean …?" for an option or class that the parser names as unknown, or "".

    Args:
        message: The parser's own, of many lines.
    """
    if missing := _NOT_IN_MODULE.search(message):
        module, name = missing.groups()
        return near(name, [n for n in vars(importlib.import_module(module)) if n[0] != "_"])
    if unknown := _UNKNOWN.search(message):
        *parts, name = (unknown[1] or unknown[2]).split(".")
        owner = _OF_CLASS.findall(message)
        root = _imported(owner[-1]) if owner else _root(parts.pop(0) if parts else "")
        return near(name, _options(root, parts))
    return ""


def _root(name: str) -> Any:
    """What a first part of an option's name configures."""
    from lightning import Trainer

    from datamodules.face_forensics import FaceForensicsDataModule
    from training.run_spec import RunSpec

    return {"trainer": Trainer, "data": FaceForensicsDataModule, "run": RunSpec}.get(name)


def _options(owner: Any, parts: Iterable[str]) -> list[str]:
    """Names of a class's options, or of one of its options' own."""
    for part in parts:
        owner = get_type_hints(owner.__init__).get(part)
    return [] if owner is None else list(inspect.signature(owner).parameters)


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
