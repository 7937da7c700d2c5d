"""Numbers as text: the same in the page, in Markdown and in the terminal."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from records.provenance import Machine

EN_DASH = "\N{EN DASH}"
MISSING = EN_DASH
MINUS = "\N{MINUS SIGN}"


def figure(value: float | None, digits: int = 3) -> str:
    """Format with a fixed number of decimals."""
    return MISSING if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """Format a difference with its sign; one that is rounded to zero has none."""
    if value is None:
        return MISSING
    text = f"{value:+.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text[1:]


def count(value: float | None) -> str:
    """Format a whole number with thin spaces between thousands."""
    return MISSING if value is None else f"{int(value):,}".replace(",", "\u202f")


def size(value: float | None) -> str:
    """Format a number of bytes in MB or kB."""
    if value is None:
        return MISSING
    return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.0f} kB"


def interval(bounds: Sequence[float] | None, digits: int = 3) -> str:
    """Format the bounds of an interval."""
    return MISSING if bounds is None else EN_DASH.join(figure(end, digits) for end in bounds)


def short_interval(bounds: Sequence[float] | None) -> str:
    """Format the bounds of a share in [0, 1] without leading zeros: .95–.98."""
    return re.sub(r"(?<!\d)0\.", ".", interval(bounds, 2))


def with_interval(value: float | None, bounds: Sequence[float] | None) -> str:
    """Format a figure above its interval, for a narrow column."""
    return figure(value) if bounds is None else f"{figure(value)}\n{short_interval(bounds)}"


def signed_interval(bounds: Sequence[float] | None) -> str:
    """Format the bounds of a difference, in brackets."""
    return MISSING if bounds is None else f"[{signed(bounds[0])}, {signed(bounds[1])}]"


def test_name(key: str) -> str:
    """Return a test set's key as a heading: Celeb-DF has one compression only."""
    return key.removesuffix("/test").removesuffix(" release")


def duration(seconds: float | None) -> str:
    """Format seconds in s, min or h."""
    if seconds is None:
        return MISSING
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def machine(record: Machine) -> str:
    """Describe a machine in a phrase."""
    accelerators = ", ".join(record.accelerators) or "no GPU"
    return f"a machine with {record.cores} {record.processor} cores and {accelerators}"


def describe(value: Any) -> str:
    """Describe any value of a results file in a phrase; mappings become `key value` lists."""
    if value is None or value == {} or value == []:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        nested = any(isinstance(item, Mapping) for item in value.values())
        return ("; " if nested else ", ").join(
            f"{spoken(str(key))}{': ' if isinstance(item, Mapping) else ' '}{describe(item)}"
            for key, item in value.items()
        )
    if isinstance(value, list | tuple):
        return ", ".join(describe(item) for item in value)
    return str(value)


def spoken(key: str) -> str:
    """Return the key of a file as words."""
    return key.replace("_", " ")
