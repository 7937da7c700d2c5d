"""Inline SVG in the font and the colors of the page, and what all plots of the report share."""

import io
import re
import zlib
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.comparison.ladder import DESCRIPTIONS

# Placeholders: `to_svg` replaces each color with a CSS variable of report.css.
INK, FAINT = "#010203", "#040506"
_COLORS = {
    "teacher": "#64748b",
    "student": "#15803d",
    "spatial": "#2563eb",
    "frequency": "#7c3aed",
    "naive": "#ea580c",
    "shared-trunk": "#b45309",
    "dedicated": "#0d9488",
    "two-in-one": "#be185d",
    "other": "#4d7c0f",
    "other-2": "#0e7490",
    "other-3": "#9f1239",
    "fake": "#b42318",
}
_OTHERS = [name for name in _COLORS if name.startswith("other")]
_DASHES = ("-", "-.", ":")
_WIDTH = 5.0  # inches; about 390 px, so that text is readable on a phone
STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.45,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
}
DOTTED: Any = {"color": FAINT, "linewidth": 1, "linestyle": (0, (2, 3))}


@dataclass(frozen=True)
class Picture:
    """A plot of the report."""

    title: str
    svg: str
    caption: str


def new_figure(
    rows: int = 1, columns: int = 1, height: float = 3.4, *, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """Create a figure of this height in inches with axes row by row; draw on it within STYLE."""
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=sharey, squeeze=False)
    return figure, list(grid.flat)


def legend_above(figure: Figure, axes: Axes) -> None:
    """Add one legend for all axes, above them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(3, len(labels)))


def shade(name: str) -> str:
    """Return the CSS variable of a method or a class; further methods share three colors."""
    return name if name in _COLORS else _OTHERS[_rank(name) % len(_OTHERS)]


def color(name: str) -> str:
    """Return the placeholder color of a method or a class."""
    return _COLORS[shade(name)]


def dash(method: str) -> str:
    """Return a method's line style: dashed for the teacher, distinct for a shared color."""
    if method in _COLORS:
        return "--" if method == "teacher" else "-"
    return _DASHES[_rank(method) // len(_OTHERS) % len(_DASHES)]


def _rank(method: str) -> int:
    rungs = list(DESCRIPTIONS)
    return rungs.index(method) if method in rungs else zlib.crc32(method.encode())


def to_svg(figure: Figure, name: str) -> str:
    """Return the figure as inline SVG, without ids that would clash within the page."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):  # makes the SVG reproducible
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'<svg[^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1">', svg, count=1)
    svg = svg.replace(INK, "var(--ink)").replace(FAINT, "var(--axis)")
    for variable, placeholder in _COLORS.items():
        svg = svg.replace(placeholder, f"var(--{variable})")
    return svg
