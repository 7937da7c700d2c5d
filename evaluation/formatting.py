"""How a figure is written: alike in the page, in Markdown and in the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

EN_DASH = "\N{EN DASH}"
MISSING = EN_DASH
MINUS = "\N{MINUS SIGN}"


def figure(value: float | None, digits: int = 3) -> str:
    """A figure with a fixed number of decimals; a dash where there is none."""
    return MISSING if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign."""
    return MISSING if value is None else f"{value:+.{digits}f}".replace("-", MINUS)


def count(value: float | None) -> str:
    """A whole number with thin spaces between thousands."""
    return MISSING if value is None else f"{int(value):,}".replace(",", "\u202f")


def interval(bounds: Sequence[float] | None, digits: int = 3) -> str:
    """Two bounds of an AUC."""
    if bounds is None:
        return MISSING
    return f"{figure(bounds[0], digits)}{EN_DASH}{figure(bounds[1], digits)}"


def with_interval(value: float | None, bounds: Sequence[float] | None) -> str:
    """A figure, and below it its bounds, for a narrow column."""
    return figure(value) if bounds is None else f"{figure(value)}\n{interval(bounds, 2)}"


def signed_interval(bounds: Sequence[float] | None) -> str:
    """Two bounds of a difference, in brackets."""
    return MISSING if bounds is None else f"[{signed(bounds[0])}, {signed(bounds[1])}]"


def duration(seconds: float | None) -> str:
    """Seconds in the unit a reader thinks in."""
    if seconds is None:
        return MISSING
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def describe(value: Any) -> str:
    """Any value of a results file as a phrase: nested mappings become `key value` lists."""
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
    """A key of a file as words."""
    return key.replace("_", " ")
