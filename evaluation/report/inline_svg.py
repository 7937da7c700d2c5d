"""Pictures that live in a page: inline SVG in the page's own font and colours."""

import io
import re
import zlib
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.comparison.ladder import DESCRIPTIONS

# Colours are drawn as placeholders, and become the page's CSS variables (report.css).
INK, FAINT = "#010203", "#040506"
_COLOURS = {
    "teacher": "#64748b",
    "student": "#a16207",
    "spatial": "#2563eb",
    "frequency": "#7c3aed",
    "naive": "#ea580c",
    "dedicated": "#0d9488",
    "two-in-one": "#be185d",
    "other": "#4d7c0f",
    "other-2": "#0e7490",
    "other-3": "#9f1239",
    "fake": "#b42318",
}
_OTHERS = [name for name in _COLOURS if name.startswith("other")]
_DASHES = ("-", "-.", ":")
_SIZE = (5.0, 3.4)  # inches; about 390 px wide, so that text stays readable on a phone
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


def new_figure() -> tuple[Figure, Axes]:
    """An empty figure with one pair of axes; to be drawn on within STYLE."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    return figure, figure.add_subplot()


def new_grid(
    rows: int, columns: int, height: float, *, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of this height in inches, and its grid of axes row by row; as `new_figure`."""
    figure = Figure(figsize=(_SIZE[0], height), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
    return figure, list(grid.flat)


def shade(name: str) -> str:
    """The page's name for the colour of a method or of a class; rungs without one share three."""
    return name if name in _COLOURS else _OTHERS[_place(name) % len(_OTHERS)]


def colour(name: str) -> str:
    """Colour of a method of the ladder, or of a class."""
    return _COLOURS[shade(name)]


def dash(method: str) -> str:
    """Line of a method: the teacher's is dashed, and tells rungs of one colour apart."""
    if method in _COLOURS:
        return "--" if method == "teacher" else "-"
    return _DASHES[_place(method) // len(_OTHERS) % len(_DASHES)]


def _place(method: str) -> int:
    rungs = list(DESCRIPTIONS)
    return rungs.index(method) if method in rungs else zlib.crc32(method.encode())


def to_svg(figure: Figure, name: str) -> str:
    """Inline SVG: scalable, without ids that would clash, in the page's font and colours."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):  # the same runs give the same page
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'<svg[^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1">', svg, count=1)
    svg = svg.replace(INK, "var(--ink)").replace(FAINT, "var(--axis)")
    for method, shade in _COLOURS.items():
        svg = svg.replace(shade, f"var(--{method})")
    return svg
