import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class InputError(ValueError):
    """A mistake in what the user gave, told in one line.

    The message names the input, what was expected and the way out. The command line prints it
    without a traceback and exits with status 2.
    """


def look_up(kind: str, name: str, there: Mapping[str, T]) -> T:
    """Give what has this name.

    Raises:
        InputError: Nothing has it; the near names are suggested, or else all there are.
    """
    if name in there:
        return there[name]
    listed = ", ".join(there) if len(there) <= 20 else f"{len(there)} others"
    msg = f"{kind} {name!r} does not exist{near(name, there) or f': there are {listed}'}"
    raise InputError(msg)


def near(name: str, there: Iterable[str]) -> str:
    """Give ": did you mean …?" with the names that are near, or "" where none is."""
    found = difflib.get_close_matches(name, there, n=3, cutoff=0.5)
    return f": did you mean {' or '.join(found)}?" if found else ""
