import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


class InputError(ValueError):
    """A user's mistake, described in one line.

    The message names the input, what was expected and the remedy. The command line prints it
    without a traceback and exits with status 2.
    """


def look_up(kind: str, name: str, available: Mapping[str, T]) -> T:
    """Return the entry with this name.

    Raises:
        InputError: No entry has this name; the message suggests near names, or lists all of them.
    """
    if name in available:
        return available[name]
    listed = ", ".join(available) if len(available) <= 20 else f"{len(available)} others"
    msg = f"{kind} {name!r} does not exist{near(name, available) or f': choose from {listed}'}"
    raise InputError(msg)


def near(name: str, available: Iterable[str]) -> str:
    """Return ": did you mean …?" with the most similar names, or "" if none is similar."""
    found = difflib.get_close_matches(name, available, n=3, cutoff=0.5)
    return f": did you mean {' or '.join(found)}?" if found else ""
