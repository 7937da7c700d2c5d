"""Plots of video AUC against cost, and under corruptions."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np

from evaluation.comparison.ladder import Ladder
from evaluation.formatting import count
from evaluation.report.picture import (
    FAINT,
    STYLE,
    Picture,
    color,
    dash,
    legend_above,
    new_figure,
    new_grid,
    to_svg,
)
from records.measurements import Level, Robustness

_OFFSET = 1.07  # factor between the points of methods with equal cost
_BAND = 0.12  # opacity


@mpl.rc_context(STYLE)
def pareto(ladder: Ladder, costs: Mapping[str, float | None], what: str) -> Picture | None:
    """Plot video AUC against a cost, with intervals and the Pareto front.

    Args:
        ladder: The ladder, with the video AUCs.
        costs: Cost by method.
        what: Name and unit of the cost.
    """
    known = [r for r in ladder.rungs if costs.get(r.method) and r.video_auc is not None]
    cost_of = {rung.method: float(costs[rung.method] or 0) for rung in known}
    if len(set(cost_of.values())) < 2:
        return None
    points = {}
    for rung in known:
        equal = [method for method in cost_of if cost_of[method] == cost_of[rung.method]]
        offset = equal.index(rung.method) - (len(equal) - 1) / 2
        x = cost_of[rung.method] * _OFFSET**offset
        points[rung.method] = (x, float(rung.video_auc or 0))
    figure, axes = new_figure()
    axes.set_xscale("log")
    front = [points[method] for method in _front(cost_of, points)]
    axes.plot(*zip(*front, strict=True), color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
    for rung in known:
        x, auc = points[rung.method]
        if rung.interval:
            stroke: Any = {"color": color(rung.method), "linewidth": 1.2, "alpha": 0.6}
            axes.plot([x, x], rung.interval, **stroke)
        axes.plot(x, auc, "o", color=color(rung.method), markersize=6, label=rung.method)
    _label_costs(axes, sorted(set(cost_of.values())))
    axes.set(xlabel=what, ylabel="video AUC")
    legend_above(figure, axes)
    return Picture(
        f"Video AUC against {what.split(',')[0]}",
        to_svg(figure, f"pareto {what}"),
        f"{ladder.test}. Up and to the left is better; the dotted line connects the methods that "
        "no other method beats in both. Strokes: 95 % intervals over the test identities. Methods "
        "of equal cost are drawn side by side.",
    )


def _label_costs(axes: Any, costs: Sequence[float]) -> None:
    """Label the costs on the axis; of costs near each other, the lowest."""
    labeled: list[float] = []
    for cost in costs:
        if not labeled or cost > 1.4 * labeled[-1]:
            labeled.append(cost)
    labels = [count(cost) if cost >= 1000 else f"{cost:.2g}" for cost in labeled]
    axes.set_xticks(labeled, labels)
    axes.set_xticks([], minor=True)


def _front(costs: Mapping[str, float], points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the methods that no other beats in both cost and AUC, from the cheapest."""
    front: list[str] = []
    for method in sorted(points, key=lambda method: (costs[method], -points[method][1])):
        if not front or points[method][1] > points[front[-1]][1]:
            front.append(method)
    return front


@mpl.rc_context(STYLE)
def robustness_curves(robustness: Robustness) -> Picture | None:
    """Plot video AUC by level of every corruption, clean at the left, all methods together."""
    names = list(robustness.corruptions)
    if not names:
        return None
    rows, columns = -(-len(names) // 2), min(2, len(names))
    figure, panels = new_grid(rows, columns, 0.8 + 1.5 * rows, sharex=True, sharey=True)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, names, strict=False):
        axes.axhline(0.5, color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
        for line in robustness.methods:
            _draw_levels(axes, [line.clean, *line.curves[name].levels], line.method)
        axes.set_title(name, loc="left", fontsize=9)
        levels = range(1, len(robustness.corruptions[name].levels) + 1)
        axes.set_xticks([0, *levels], ["clean", *map(str, levels)], fontsize=7.5)
    for axes in panels[::columns]:
        axes.set_ylabel("video AUC")
    legend_above(figure, panels[0])
    return Picture(
        "Video AUC under corruptions of the crops",
        to_svg(figure, "robustness"),
        f"{robustness.test_set}, the levels of each corruption from mild to severe, median over "
        "seeds. Bands: 95 % over resamples of the identities. Dotted: chance.",
    )


def _draw_levels(axes: Any, levels: Sequence[Level], method: str) -> None:
    aucs = np.array([level.auc for level in levels], dtype=np.float64)
    bounds = [level.interval or (np.nan, np.nan) for level in levels]
    low, high = np.array(bounds, dtype=np.float64).T
    x = np.arange(len(levels))
    axes.fill_between(x, low, high, color=color(method), alpha=_BAND, linewidth=0)
    style: Any = {"color": color(method), "linestyle": dash(method), "linewidth": 1.3}
    axes.plot(x, aucs, label=method, **style)
