"""Pictures that live in a page: inline SVG in the page's own font and colours."""

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
}
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


def colour(method: str) -> str:
    """Colour of a method of the ladder."""
    return _COLOURS.get(method, _COLOURS["other"])


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
