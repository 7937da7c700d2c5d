from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from errors import InputError, first_line, look_up

T = TypeVar("T")


def resolve(kind: str, name: str, available: Mapping[str, T], base: type | None = None) -> T:
    """Return a design by its short name, or a user's own by a path such as "my_module.MyWeighting".

    Args:
        kind: What is resolved, for the messages, e.g. "weighting".
        name: The short name or the path.
        available: The project's own designs by their short names.
        base: Class that a user's class extends; by default a function is expected.

    Raises:
        InputError: No design has this short name, the path cannot be imported, or what it names is
            of another kind.
    """
    module_name, _, attribute = name.rpartition(".")
    if available and not module_name:
        return look_up(kind, name, available)
    short = f"a short name ({', '.join(available)}) or " if available else ""
    remedy = f"give {short}a path such as my_module.{attribute}"
    try:
        found: Any = getattr(import_module(module_name), attribute)
    # Importing runs the user's code, which may fail in any way.
    except Exception as error:
        msg = f"{kind} {name!r} cannot be imported ({first_line(error)}): {remedy}"
        raise InputError(msg) from error
    if base is None:
        if not callable(found) or isinstance(found, type):
            msg = f"{kind} {name!r} is not a function: {remedy}"
            raise InputError(msg)
    elif not (isinstance(found, type) and issubclass(found, base)):
        msg = f"{kind} {name!r} is not a subclass of {base.__module__}.{base.__name__}: {remedy}"
        raise InputError(msg)
    return found
