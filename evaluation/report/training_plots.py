"""The report's pictures of training and its gradients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from evaluation.comparison.ladder import ladder_order
from evaluation.comparison.run import Run
from evaluation.report.inline_svg import INK, STYLE, colour, dash, new_figure, to_svg

_MOST_POINTS = 400  # of a curve; more make the page heavy and look the same


@dataclass(frozen=True)
class Picture:
    """One figure of the report."""

    title: str
    svg: str
    caption: str


def training_curves(runs: Sequence[Run]) -> list[Picture]:
    """Training loss and validation video AUC by epoch, one line a run."""
    pictures = []
    for column, quantity, title, caption in (
        (
            "val/video_auc",
            "video AUC",
            "Validation video AUC by epoch",
            "On the validation split, a line a run. The checkpoint of the highest value is the one "
            "tested.",
        ),
        (
            "train/loss",
            "loss",
            "Training loss by epoch",
            "On the training split, the mean over an epoch's steps, a line a run. Methods sum "
            "different terms, so compare shapes, not heights.",
        ),
    ):
        curves = [(run, _by_epoch(run.curves, column)) for run in ladder_order(runs)]
        known = {run.name: curve for run, curve in curves if len(curve)}
        if not known:
            continue
        with mpl.rc_context(STYLE):
            figure, axes = new_figure()
            for run, label in _labelled([run for run, curve in curves if len(curve)]):
                axes.plot(
                    known[run.name].index.to_numpy(),
                    known[run.name].to_numpy(),
                    color=colour(run.method),
                    linestyle=dash(run.method),
                    linewidth=_width(runs),
                    marker="o" if len(known[run.name]) == 1 else "",
                    label=label,
                )
            axes.set(xlabel="epoch", ylabel=quantity)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(loc="best")
            pictures.append(Picture(title, to_svg(figure, column), caption))
    return pictures


def gradient_cosine(runs: Sequence[Run]) -> Picture | None:
    """Cosine between the gradients of the two distillation tasks at the shared feature."""
    curves = [(run, _series(run.curves, "step", "grad/cosine")) for run in ladder_order(runs)]
    known = {run.name: curve for run, curve in curves if len(curve)}
    if not known:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = new_figure()
        axes.axhline(0, color=INK, linewidth=1)
        for run, label in _labelled([run for run, curve in curves if len(curve)]):
            curve = known[run.name]
            window = max(1, len(curve) // 20)
            smooth = _thinned(curve.rolling(window, center=True, min_periods=1).mean())
            raw = _thinned(curve)
            shade = colour(run.method)
            axes.plot(raw.index, raw.to_numpy(), ".", color=shade, alpha=0.3, markersize=2.5)
            steps, line = smooth.index.to_numpy(), dash(run.method)
            width = _width(runs)
            axes.plot(steps, smooth.to_numpy(), line, color=shade, linewidth=width, label=label)
        axes.set(xlabel="step", ylabel="cosine")
        axes.legend(loc="best")
        return Picture(
            "Gradient cosine between the two tasks",
            to_svg(figure, "cosine"),
            "While training, between the two branches' tasks at the student's shared feature: dots "
            "are logged steps, lines their running mean. Below zero the tasks conflict, a step for "
            f"one undoes the other; share of such steps: {_conflicts(curves)}.",
        )


def gradient_balance(runs: Sequence[Run]) -> Picture | None:
    """Norm of one task's gradient over the other's, as it comes and as it is weighted."""
    balances = {run.name: _balance(run.curves) for run in runs}
    shown = [run for run in ladder_order(runs) if balances[run.name] is not None]
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = new_figure()
        axes.axhline(1, color=INK, linewidth=1)
        axes.set_yscale("log")
        for run, label in _labelled(shown):
            balance = balances[run.name]
            assert balance is not None
            for column, line, name in (("raw", ":", "_"), ("weighted", "-", label)):
                window = max(1, len(balance) // 20)
                smooth = _thinned(balance[column].rolling(window, min_periods=1).median())
                steps = smooth.index.to_numpy()
                style: Any = {"color": colour(run.method), "linewidth": _width(runs)}
                axes.plot(steps, smooth.to_numpy(), line, label=name, **style)
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(MaxNLocator(5) if high < 10 * low else LogLocator())
        axes.yaxis.set_major_formatter(FormatStrFormatter("%.4g"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="step", ylabel="first task's norm over the second's")
        axes.legend(loc="best")
        return Picture(
            "Balance of the two tasks' gradients",
            to_svg(figure, "balance"),
            "While training, the running median at the student's shared feature: dotted as the "
            "gradients come, solid as they are weighted. At 1 neither task rules by its size.",
        )


def _balance(curves: pd.DataFrame) -> pd.DataFrame | None:
    """Ratio of the two tasks' norms by step, raw and weighted; none where there are not two."""
    prefix = "grad/norm_"
    tasks = [name.removeprefix(prefix) for name in map(str, curves) if name.startswith(prefix)]
    if len(tasks) != 2:
        return None
    columns = [f"grad/{part}_{task}" for part in ("norm", "weight") for task in tasks]
    known = curves[["step", *columns]].dropna()
    norms, weights = known[columns[:2]].to_numpy(), known[columns[2:]].to_numpy()
    sound = (norms > 0).all(axis=1) & (weights > 0).all(axis=1)
    if not sound.any():
        return None
    raw = norms[sound, 0] / norms[sound, 1]
    weighted = raw * weights[sound, 0] / weights[sound, 1]
    return pd.DataFrame({"raw": raw, "weighted": weighted}, index=known["step"].to_numpy()[sound])


def _conflicts(curves: "Sequence[tuple[Run, pd.Series[float]]]") -> str:
    """Share of the logged steps with a negative cosine, over all seeds of a method."""
    steps: dict[str, list[float]] = {}
    for run, curve in curves:
        steps.setdefault(run.method, []).extend(curve.to_list())
    return ", ".join(
        f"{method} {np.mean(np.array(values) < 0):.0%}"
        for method, values in steps.items()
        if values
    )


def by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Gather runs by method, in the ladder's order."""
    groups: dict[str, list[Run]] = {}
    for run in ladder_order(runs):
        groups.setdefault(run.method, []).append(run)
    return groups


def _width(runs: Sequence[Run]) -> float:
    """Line width: thinner where a method has several seeds."""
    return 1.6 if len({run.method for run in runs}) == len(runs) else 0.9


def _labelled(runs: Sequence[Run]) -> list[tuple[Run, str]]:
    """Each run with its legend entry: the first of a method names it, `_` hides the others."""
    named: set[str] = set()
    labelled = []
    for run in runs:
        labelled.append((run, "_" if run.method in named else run.method))
        named.add(run.method)
    return labelled


def _series(curves: pd.DataFrame, index: str, column: str) -> "pd.Series[float]":
    if column not in curves or index not in curves:
        return pd.Series(dtype=float)
    known = curves[[index, column]].dropna()
    return pd.Series(known[column].to_numpy(dtype=float), index=known[index].to_numpy())


def _by_epoch(curves: pd.DataFrame, column: str) -> "pd.Series[float]":
    series = _series(curves, "epoch", column)
    return series.groupby(level=0).mean() if len(series) else series


def _thinned(series: "pd.Series[float]") -> "pd.Series[float]":
    return series.iloc[:: max(1, len(series) // _MOST_POINTS)]
