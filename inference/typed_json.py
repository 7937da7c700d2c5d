"""Values of a JSON file as dataclasses whose fields are checked."""

import dataclasses
import types
from typing import Any, Literal, get_args, get_origin, get_type_hints


class OtherTypeError(Exception):
    """A field is missing or of another type; the message names it."""


def as_type(value: Any, expected: Any, name: str = "") -> Any:
    """Return a value of a JSON file as a dataclass, or check its type; `name` is its place.

    Raises:
        OtherTypeError: A field is missing or of another type.
    """
    if dataclasses.is_dataclass(expected):
        hints = get_type_hints(expected)
        if not isinstance(value, dict) or (missing := [key for key in hints if key not in value]):
            lacks = f"field {name}.{missing[0]}" if isinstance(value, dict) else f"object {name}"
            msg = f"{lacks.replace(' .', ' ')} is missing"
            raise OtherTypeError(msg)
        fields = {key: as_type(value[key], hint, f"{name}.{key}") for key, hint in hints.items()}
        return expected(**fields)  # type: ignore[operator]
    origin, inner = get_origin(expected), get_args(expected)
    if origin is list and isinstance(value, list) and dataclasses.is_dataclass(inner[0]):
        return [as_type(one, inner[0], f"{name}[{i}]") for i, one in enumerate(value)]
    if not _is_of(value, expected):
        msg = f"field {name.lstrip('.')} is {value!r:.60}"
        raise OtherTypeError(msg)
    return value


def _is_of(value: Any, expected: Any) -> bool:
    origin, inner = get_origin(expected), get_args(expected)
    if origin is Literal:
        return value in inner
    if origin is types.UnionType:
        return any(_is_of(value, option) for option in inner)
    if origin is list:
        return isinstance(value, list) and all(_is_of(one, inner[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(_is_of(one, inner[1]) for one in value.values())
    if expected is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is expected
