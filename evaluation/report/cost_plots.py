"""The report's pictures of what a model gives for what it costs, and of what it stands."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np

from evaluation.comparison.ladder import Ladder
from evaluation.formatting import count
from evaluation.report.inline_svg import FAINT, STYLE, colour, dash, new_figure, new_grid, to_svg
from evaluation.report.training_plots import Picture

_APART = 1.07  # factor between the points of methods that cost the same
_BAND = 0.12  # opacity


def pareto(ladder: Ladder, costs: Mapping[str, float | None], what: str) -> Picture | None:
    """Video AUC against a cost, with its interval; the front joins what nothing beats in both.

    Args:
        ladder: With the video AUCs.
        costs: By method.
        what: The cost and its unit.
    """
    known = [r for r in ladder.rungs if costs.get(r.method) and r.video_auc is not None]
    cost_of = {rung.method: float(costs[rung.method] or 0) for rung in known}
    if len(set(cost_of.values())) < 2:
        return None
    points = {}
    for rung in known:
        alike = [method for method in cost_of if cost_of[method] == cost_of[rung.method]]
        offset = alike.index(rung.method) - (len(alike) - 1) / 2
        x = cost_of[rung.method] * _APART**offset
        points[rung.method] = (x, float(rung.video_auc or 0))
    with mpl.rc_context(STYLE):
        figure, axes = new_figure()
        axes.set_xscale("log")
        front = [points[method] for method in _front(cost_of, points)]
        axes.plot(*zip(*front, strict=True), color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
        for rung in known:
            x, auc = points[rung.method]
            shade = colour(rung.method)
            if rung.interval:
                axes.plot([x, x], rung.interval, color=shade, linewidth=1.2, alpha=0.6)
            axes.plot(x, auc, "o", color=shade, markersize=6, label=rung.method)
        _name_costs(axes, sorted(set(cost_of.values())))
        axes.set(xlabel=what, ylabel="video AUC")
        figure.legend(loc="outside upper center", ncols=3)
        return Picture(
            f"Video AUC against {what.split(',')[0]}",
            to_svg(figure, f"pareto {what}"),
            f"{ladder.test}. Up and to the left is better; the dotted line joins what no other "
            "method beats in both. Strokes: 95 % over the test identities. Methods that cost the "
            "same are drawn beside one another.",
        )


def _name_costs(axes: Any, costs: Sequence[float]) -> None:
    """Label the costs that there are; of near ones the cheapest."""
    named: list[float] = []
    for cost in costs:
        if not named or cost > 1.4 * named[-1]:
            named.append(cost)
    labels = [count(cost) if cost >= 1000 else f"{cost:.2g}" for cost in named]
    axes.set_xticks(named, labels)
    axes.set_xticks([], minor=True)


def _front(costs: Mapping[str, float], points: Mapping[str, tuple[float, float]]) -> list[str]:
    """The methods that no other beats in cost and in AUC, from the cheapest."""
    front: list[str] = []
    for method in sorted(points, key=lambda method: (costs[method], -points[method][1])):
        if not front or points[method][1] > points[front[-1]][1]:
            front.append(method)
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
