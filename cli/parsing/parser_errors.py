"""The parser's errors in one line, with similar names for an unknown option or class."""

import importlib
import inspect
import re
from collections.abc import Iterable
from typing import Any, get_type_hints

from datamodules.face_forensics import FaceForensicsDataModule
from errors import near
from training.run_spec import RunSpec

# jsonargparse's explanations of a reason.
_EXPLANATIONS = ("Given value", "Subtypes", "Does not validate", "Expected a <class 'NoneType'>")
_UNKNOWN = re.compile(r"unrecognized arguments: --([\w.]+)|Option '([\w.]+)' is not accepted")
_OF_CLASS = re.compile(r"given class_path '([\w.]+)'")
_NOT_IN_MODULE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")


def describe(message: str) -> str:
    """Return the reason of a parser's error as one line, with ": did you mean …?" if it helps.

    Args:
        message: Of many lines: jsonargparse lists every type of a union that it tried, and the
            reason comes last.
    """
    first, *others = [line.strip() for line in message.splitlines() if line.strip()] or [""]
    reasons = [line.removeprefix("- ") for line in others if not line.endswith(":")]
    reasons = [line for line in reasons if not line.startswith(_EXPLANATIONS)]
    return " ".join([first, *reasons[-1:]]) + _suggestion(message)


def _suggestion(message: str) -> str:
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
    """Return the class that the options with this prefix configure."""
    from lightning import Trainer  # takes seconds

    return {"trainer": Trainer, "data": FaceForensicsDataModule, "run": RunSpec}.get(name)


def _options(owner: Any, parts: Iterable[str]) -> list[str]:
    """Return the options of a class, or of the class of one of its options."""
    for part in parts:
        owner = get_type_hints(owner.__init__).get(part)
    return [] if owner is None else list(inspect.signature(owner).parameters)


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
