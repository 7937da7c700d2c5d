import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class InputError(ValueError):
    """A user's mistake, described in one line.

    The message names the input, what was expected and the remedy. The command line prints it
    without a traceback and exits with status 2.
    """


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


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


def require_number(
    option: str,
    value: float | None,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> None:
    """Check the range of an option, e.g. `above=0, most=1`; None passes.

    Raises:
        InputError: The number is outside the range or not finite.
    """
    if value is None or (above < value < below and least <= value <= most):
        return
    bounds = {"above": above, "at least": least, "below": below, "at most": most}
    given = [f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound)]
    msg = f"{option} is {value}: expected a number {' and '.join(given) or 'that is finite'}"
    raise InputError(msg)


def refuse_difference(
    subject: str, saved: Mapping[str, Any], current: Mapping[str, Any], remedy: str
) -> None:
    """Check that saved settings are the current ones.

    Args:
        subject: What was saved, e.g. "last.ckpt: saved by a run with".
        saved: Its settings by name; of nested ones the message names the one that differs.
        current: The settings of this run.
        remedy: How to continue, for the message.

    Raises:
        InputError: A setting differs; the message names the first.
    """
    for name in {**saved, **current}:
        before, now = saved.get(name), current.get(name)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            was, here = ({f"{name}.{key}": v[key] for key in v} for v in (before, now))
            refuse_difference(subject, was, here, remedy)
        elif before != now:
            msg = f"{subject} {name} {_short(before)}, but here it is {_short(now)}: {remedy}"
            raise InputError(msg)


def near(name: str, available: Iterable[str]) -> str:
    """Return ": did you mean …?" with the most similar names, or "" if none is similar."""
    found = difflib.get_close_matches(name, available, n=3, cutoff=0.5)
    return f": did you mean {' or '.join(found)}?" if found else ""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
