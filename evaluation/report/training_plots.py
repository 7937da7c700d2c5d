"""Plots of the training curves and of the gradients at the student's shared feature."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator

from evaluation.comparison.ladder import ladder_order
from evaluation.comparison.run import Run
from evaluation.report.picture import INK, STYLE, Picture, color, dash, new_figure, to_svg

_MOST_POINTS = 400  # per curve; more only enlarge the page

Curves = list[tuple[Run, Any]]
"""Runs with the pandas Series of a logged column."""


def training_curves(runs: Sequence[Run]) -> list[Picture | None]:
    """Plot validation AUC and training loss by epoch, one line per run; None if not logged."""
    return [
        _by_epoch(
            runs,
            ("val/video_auc", "video AUC", "Validation video AUC by epoch"),
            "On the validation split, one line per run. The checkpoint with the highest value is "
            "tested.",
        ),
        _by_epoch(
            runs,
            ("train/loss", "loss", "Training loss by epoch"),
            "On the training split, the mean over each epoch's steps, one line per run. Methods "
            "sum different terms: compare shapes, not heights.",
        ),
    ]


@mpl.rc_context(STYLE)
def _by_epoch(runs: Sequence[Run], names: tuple[str, str, str], caption: str) -> Picture | None:
    column, quantity, title = names
    curves = _curves(runs, "epoch", column)
    if not curves:
        return None
    figure, (axes,) = new_figure()
    for (run, curve), style in zip(curves, _styles(curves), strict=True):
        means = curve.groupby(level=0).mean()
        marker = "o" if len(means) == 1 else ""
        axes.plot(means.index, means, dash(run.method), marker=marker, **style)
    axes.set(xlabel="epoch", ylabel=quantity)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best")
    return Picture(title, to_svg(figure, column), caption)


@mpl.rc_context(STYLE)
def gradient_cosine(runs: Sequence[Run]) -> Picture | None:
    """Plot the cosine between the gradients of the two distillation tasks."""
    curves = _curves(runs, "step", "grad/cosine")
    if not curves:
        return None
    figure, (axes,) = new_figure()
    axes.axhline(0, color=INK, linewidth=1)
    conflicts: dict[str, list[float]] = {}
    for (run, curve), style in zip(curves, _styles(curves), strict=True):
        window, every = max(1, len(curve) // 20), max(1, len(curve) // _MOST_POINTS)
        smooth = curve.rolling(window, center=True, min_periods=1).mean()[::every]
        dots: Any = {"color": color(run.method), "alpha": 0.3, "markersize": 2.5}
        axes.plot(smooth.index, curve[::every], ".", **dots)
        axes.plot(smooth.index, smooth, dash(run.method), **style)
        conflicts.setdefault(run.method, []).extend(curve < 0)
    axes.set(xlabel="step", ylabel="cosine")
    axes.legend(loc="best")
    shares = ", ".join(f"{method} {np.mean(of):.0%}" for method, of in conflicts.items())
    return Picture(
        "Gradient cosine between the two tasks",
        to_svg(figure, "cosine"),
        "During training, between the tasks of the two branches at the student's shared feature. "
        "Dots are logged steps, lines their running mean. Below zero the tasks conflict; share of "
        f"such steps: {shares}.",
    )


def _curves(runs: Sequence[Run], index: str, column: str) -> Curves:
    """Return the runs that logged a column, each with its values as a Series over the index."""
    curves: Curves = []
    for run in ladder_order(runs):
        if {index, column} <= set(run.curves):
            known = run.curves[[index, column]].dropna().astype({column: float})
            if len(known):
                curves.append((run, known.set_index(index)[column]))
    return curves


def _styles(curves: Curves) -> list[dict[str, Any]]:
    """Return label, color and width of each line; a method's first run names all its seeds."""
    methods = [run.method for run, _ in curves]
    width = 1.6 if len(set(methods)) == len(methods) else 0.9
    labels = [m if methods.index(m) == i else "_" for i, m in enumerate(methods)]
    return [
        {"label": label, "color": color(method), "linewidth": width}
        for label, method in zip(labels, methods, strict=True)
    ]
