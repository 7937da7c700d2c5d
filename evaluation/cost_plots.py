"""The report's pictures of what a model gives for what it costs, and of what it stands."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np

from evaluation.formatting import count
from evaluation.inline_svg import FAINT, STYLE, colour, new_figure, new_grid, to_svg
from evaluation.ladder import Rung
from evaluation.plots import Picture, dash

_APART = 1.07  # factor between the points of methods that cost the same
_BAND = 0.12  # opacity


def pareto(rungs: Sequence[Rung], costs: Mapping[str, float | None], what: str) -> Picture | None:
    """Video AUC against a cost, with its interval; the front joins what nothing beats in both.

    Args:
        rungs: Of the ladder.
        costs: By method.
        what: The cost and its unit.
    """
    known = [r for r in rungs if costs.get(r.method) and r.video_auc is not None]
    if len({costs[rung.method] for rung in known}) < 2:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = new_figure()
        axes.set_xscale("log")
        front = _front([(float(costs[r.method] or 0), float(r.video_auc or 0)) for r in known])
        axes.plot(*zip(*front, strict=True), color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
        for rung in known:
            alike = [r.method for r in known if costs[r.method] == costs[rung.method]]
            offset = alike.index(rung.method) - (len(alike) - 1) / 2
            x, auc = float(costs[rung.method] or 0) * _APART**offset, float(rung.video_auc or 0)
            shade = colour(rung.method)
            if rung.interval:
                axes.plot([x, x], rung.interval, color=shade, linewidth=1.2, alpha=0.6)
            axes.plot(x, auc, "o", color=shade, markersize=6, label=rung.method)
        _name_costs(axes, sorted({float(costs[rung.method] or 0) for rung in known}))
        axes.set(xlabel=what, ylabel="video AUC")
        figure.legend(loc="outside upper center", ncols=3)
        return Picture(
            f"Video AUC against {what.split(',')[0]}",
            to_svg(figure, f"pareto {what}"),
            "Up and to the left is better; the dotted line joins what no other method beats in "
            "both. Strokes: 95 % over the test identities. Methods that cost the same are drawn "
            "beside one another.",
        )


def _name_costs(axes: Any, costs: Sequence[float]) -> None:
    """Label the costs that there are; of near ones the cheapest."""
    named: list[float] = []
    for cost in costs:
        if not named or cost > 1.4 * named[-1]:
            named.append(cost)
    labels = [count(cost) if cost >= 1000 else f"{cost:.3g}" for cost in named]
    axes.set_xticks(named, labels)
    axes.set_xticks([], minor=True)


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other beats in cost and in AUC, from the cheapest."""
    front: list[tuple[float, float]] = []
    for cost, auc in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or auc > front[-1][1]:
            front.append((cost, auc))
    return front


def robustness_curves(robustness: dict[str, Any]) -> Picture | None:
    """Video AUC by level of every corruption, clean at the left, all methods together."""
    names = list(robustness["corruptions"])
    if not names:
        return None
    rows = -(-len(names) // 2)
    with mpl.rc_context(STYLE):
        shape = (rows, min(2, len(names)))
        figure, panels = new_grid(*shape, 0.8 + 1.5 * rows, sharex=True, sharey=True)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        for axes, name in zip(panels, names, strict=False):
            axes.axhline(0.5, color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
            for line in robustness["methods"]:
                _draw(axes, [line["clean"], *line["curves"][name]["levels"]], line["method"])
            axes.set_title(name, loc="left", fontsize=9)
            axes.set_xticks(range(6), ["clean", *"12345"], fontsize=7.5)
        for row in range(rows):
            panels[row * shape[1]].set_ylabel("video AUC")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
        return Picture(
            "Video AUC under corruptions of the crops",
            to_svg(figure, "robustness"),
            f"{robustness['set']}, five levels of each from mild to severe, median over seeds. "
            "Bands: 95 % over resamples of the identities. Dotted: chance.",
        )


def _draw(axes: Any, points: Sequence[dict[str, Any]], method: str) -> None:
    aucs = np.array([point["auc"] for point in points], dtype=np.float64)
    bounds = [point["interval"] or (np.nan, np.nan) for point in points]
    low, high = np.array(bounds, dtype=np.float64).T
    levels = np.arange(len(points))
    shade = colour(method)
    axes.fill_between(levels, low, high, color=shade, alpha=_BAND, linewidth=0)
    axes.plot(levels, aucs, color=shade, linestyle=dash(method), linewidth=1.3, label=method)
