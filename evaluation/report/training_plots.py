"""Plots of the training curves and of the gradients at the student's shared feature."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from evaluation.comparison.ladder import ladder_order
from evaluation.comparison.run import Run
from evaluation.report.picture import INK, STYLE, Picture, color, dash, new_figure, to_svg

_MOST_POINTS = 400  # per curve; more only enlarge the page

Curves = list[tuple[Run, Any]]
"""Runs with a pandas Series, or a DataFrame, of what is plotted."""


def training_curves(runs: Sequence[Run]) -> list[Picture]:
    """Plot the validation video AUC and the training loss by epoch, one line per run."""
    pictures = [
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
    return [picture for picture in pictures if picture]


@mpl.rc_context(STYLE)
def _by_epoch(runs: Sequence[Run], names: tuple[str, str, str], caption: str) -> Picture | None:
    column, quantity, title = names
    curves = _curves(runs, "epoch", column)
    if not curves:
        return None
    figure, axes = new_figure()
    for (run, curve), label in zip(curves, _labels(curves), strict=True):
        means = curve.groupby(level=0).mean()
        marker = "o" if len(means) == 1 else ""
        style = {"marker": marker, "label": label, **_stroke(run, runs)}
        axes.plot(means.index.to_numpy(), means.to_numpy(), dash(run.method), **style)
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
    figure, axes = new_figure()
    axes.axhline(0, color=INK, linewidth=1)
    for (run, curve), label in zip(curves, _labels(curves), strict=True):
        window = max(1, len(curve) // 20)
        smooth = _thinned(curve.rolling(window, center=True, min_periods=1).mean())
        raw = _thinned(curve)
        dots: Any = {"color": color(run.method), "alpha": 0.3, "markersize": 2.5}
        axes.plot(raw.index, raw.to_numpy(), ".", **dots)
        steps, style = smooth.index.to_numpy(), _stroke(run, runs)
        axes.plot(steps, smooth.to_numpy(), dash(run.method), label=label, **style)
    axes.set(xlabel="step", ylabel="cosine")
    axes.legend(loc="best")
    return Picture(
        "Gradient cosine between the two tasks",
        to_svg(figure, "cosine"),
        "During training, between the tasks of the two branches at the student's shared feature. "
        "Dots are logged steps, lines their running mean. Below zero the tasks conflict; share of "
        f"such steps: {_conflicts(curves)}.",
    )


@mpl.rc_context(STYLE)
def gradient_balance(runs: Sequence[Run]) -> Picture | None:
    """Plot the ratio of the two tasks' gradient norms, before and after the weighting."""
    balances = [(run, _balance(run.curves)) for run in ladder_order(runs)]
    shown = [(run, balance) for run, balance in balances if balance is not None]
    if not shown:
        return None
    figure, axes = new_figure()
    axes.axhline(1, color=INK, linewidth=1)
    axes.set_yscale("log")
    for (run, balance), label in zip(shown, _labels(shown), strict=True):
        for column, line, name in (("raw", ":", "_"), ("weighted", "-", label)):
            window = max(1, len(balance) // 20)
            smooth = _thinned(balance[column].rolling(window, min_periods=1).median())
            steps = smooth.index.to_numpy()
            axes.plot(steps, smooth.to_numpy(), line, label=name, **_stroke(run, runs))
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(MaxNLocator(5) if high < 10 * low else LogLocator())
    axes.yaxis.set_major_formatter(FormatStrFormatter("%.4g"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="step", ylabel="norm of the first task over the second")
    axes.legend(loc="best")
    return Picture(
        "Balance of the two tasks' gradients",
        to_svg(figure, "balance"),
        "During training, the running median at the student's shared feature: dotted before, solid "
        "after the weighting. At 1 both gradients are equally large.",
    )


def _balance(curves: pd.DataFrame) -> pd.DataFrame | None:
    """Return the ratio of the two tasks' norms by step, or None without exactly two tasks."""
    prefix = "grad/norm_"
    tasks = [name.removeprefix(prefix) for name in map(str, curves) if name.startswith(prefix)]
    if len(tasks) != 2:
        return None
    columns = [f"grad/{part}_{task}" for part in ("norm", "weight") for task in tasks]
    known = curves[["step", *columns]].dropna()
    norms, weights = known[columns[:2]].to_numpy(), known[columns[2:]].to_numpy()
    positive = (norms > 0).all(axis=1) & (weights > 0).all(axis=1)
    if not positive.any():
        return None
    raw = norms[positive, 0] / norms[positive, 1]
    weighted = raw * weights[positive, 0] / weights[positive, 1]
    steps = known["step"].to_numpy()[positive]
    return pd.DataFrame({"raw": raw, "weighted": weighted}, index=steps)


def _conflicts(curves: Curves) -> str:
    """Return the share of logged steps with a negative cosine, over all seeds of each method."""
    steps: dict[str, list[float]] = {}
    for run, curve in curves:
        steps.setdefault(run.method, []).extend(curve)
    return ", ".join(f"{m} {np.mean(np.array(values) < 0):.0%}" for m, values in steps.items())


def _curves(runs: Sequence[Run], index: str, column: str) -> Curves:
    """Return the runs that logged a column, each with its values as a Series over the index."""
    curves: Curves = []
    for run in ladder_order(runs):
        if {index, column} <= set(run.curves):
            known = run.curves[[index, column]].dropna().astype({column: float})
            curves.append((run, known.set_index(index)[column]))
    return [(run, curve) for run, curve in curves if len(curve)]


def _stroke(run: Run, runs: Sequence[Run]) -> dict[str, Any]:
    """Return color and width of a run's line: thinner if methods have several seeds."""
    one_each = len({run.method for run in runs}) == len(runs)
    return {"color": color(run.method), "linewidth": 1.6 if one_each else 0.9}


def _labels(curves: Curves) -> list[str]:
    """Return the legend entries: the first run of a method names it, "_" hides the others."""
    methods = [run.method for run, _ in curves]
    return [m if methods.index(m) == i else "_" for i, m in enumerate(methods)]


def _thinned(series: "pd.Series[float]") -> "pd.Series[float]":
    return series.iloc[:: max(1, len(series) // _MOST_POINTS)]
