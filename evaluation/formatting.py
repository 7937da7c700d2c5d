"""How a figure is written: alike in the page, in Markdown and in the terminal."""

import re
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


def size(value: float | None) -> str:
    """Bytes in the unit a reader thinks in."""
    if value is None:
        return MISSING
    return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.0f} kB"


def interval(bounds: Sequence[float] | None, digits: int = 3) -> str:
    """Two bounds of an AUC."""
    if bounds is None:
        return MISSING
    return f"{figure(bounds[0], digits)}{EN_DASH}{figure(bounds[1], digits)}"


def short_interval(bounds: Sequence[float] | None) -> str:
    """Two bounds of a share, without what stands before the point: .95–.98."""
    return re.sub(r"(?<!\d)0\.", ".", interval(bounds, 2)) if bounds else MISSING


def quartiles(timed: Mapping[str, Any], digits: int) -> str:
    """The middle half of a timed figure's rounds."""
    low, high = timed["quartiles"]
    return f"{figure(low, digits)}{EN_DASH}{figure(high, digits)}"


def with_interval(value: float | None, bounds: Sequence[float] | None) -> str:
    """A figure, and below it its bounds, for a narrow column."""
    return figure(value) if bounds is None else f"{figure(value)}\n{short_interval(bounds)}"


def signed_interval(bounds: Sequence[float] | None) -> str:
    """Two bounds of a difference, in brackets."""
    return MISSING if bounds is None else f"[{signed(bounds[0])}, {signed(bounds[1])}]"


def test_name(key: str) -> str:
    """A test set's key as a heading: Celeb-DF comes in one compression of its own."""
    return key.removesuffix("/test").removesuffix(" release")


def duration(seconds: float | None) -> str:
    """Seconds in the unit a reader thinks in."""
    if seconds is None:
        return MISSING
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def machine(block: Mapping[str, Any]) -> str:
    """A machine as a phrase, see `callbacks.provenance.machine`."""
    with_gpu = ", ".join(block.get("accelerators") or []) or "no GPU"
    return f"a machine with {block.get('cores')} {block.get('processor')} cores and {with_gpu}"


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
