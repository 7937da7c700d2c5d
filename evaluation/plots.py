"""The report's line pictures, as inline SVG that follows the page's light and dark colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import roc_curve

from evaluation.inline_svg import FAINT, INK, STYLE, colour, new_figure, to_svg
from evaluation.ladder import DESCRIPTIONS, Ladder
from evaluation.results import Run

_MOST_POINTS = 400  # of a curve; more make the page heavy and look the same


@dataclass(frozen=True)
class Picture:
    """One figure of the report."""

    title: str
    svg: str
    caption: str


def roc_curves(runs: Sequence[Run]) -> Picture | None:
    """ROC curves over the in-domain test videos, one line a run, one colour a method."""
    shown = [run for run in _in_order(runs) if run.video_auc is not None]
    if not shown:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = new_figure()
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
        for run, label in _labelled(shown):
            fpr, tpr, _ = roc_curve(run.videos["label"], run.videos["score"])
            axes.plot(fpr, tpr, color=colour(run.method), linestyle=_dash(run), label=label)
        axes.set(xlabel="reals called fake", ylabel="fakes called fake")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.legend(loc="lower right")
        return Picture(
            "ROC over the test videos",
            to_svg(figure, "roc"),
            f"{runs[0].in_domain}, video level, one line a run. The dotted diagonal is chance.",
        )


def training_curves(runs: Sequence[Run]) -> list[Picture]:
    """Training loss and validation video AUC by epoch, one line a run."""
    pictures = []
    for column, quantity, title, caption in (
        (
            "val/video_auc",
            "video AUC",
            "Validation video AUC by epoch",
            "The checkpoint of the highest value is the one tested.",
        ),
        (
            "train/loss",
            "loss",
            "Training loss by epoch",
            "Mean over an epoch's steps. Methods sum different terms, so compare shapes, not "
            "heights.",
        ),
    ):
        curves = [(run, _by_epoch(run.curves, column)) for run in _in_order(runs)]
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
                    linestyle=_dash(run),
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
    curves = [(run, _series(run.curves, "step", "grad/cosine")) for run in _in_order(runs)]
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
            axes.plot(
                smooth.index, smooth.to_numpy(), color=shade, linestyle=_dash(run), label=label
            )
        axes.set(xlabel="step", ylabel="cosine")
        axes.legend(loc="best")
        return Picture(
            "Gradient cosine between the two tasks",
            to_svg(figure, "cosine"),
            "Between the spatial and the frequency task at the student's shared feature: dots are "
            "logged steps, lines their running mean. Below zero the tasks conflict; share of "
            f"conflicting steps: {_conflicts(curves)}.",
        )


def gradient_balance(runs: Sequence[Run]) -> Picture | None:
    """Norm of one task's gradient over the other's, as it comes and as it is weighted."""
    balances = {run.name: _balance(run.curves) for run in runs}
    shown = [run for run in _in_order(runs) if balances[run.name] is not None]
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
                axes.plot(steps, smooth.to_numpy(), line, color=colour(run.method), label=name)
        axes.set(xlabel="step", ylabel="first task's norm over the second's")
        axes.legend(loc="best")
        return Picture(
            "Balance of the two tasks' gradients",
            to_svg(figure, "balance"),
            "Running median at the student's shared feature: dotted as the gradients come, solid "
            "as they are weighted. At 1 neither task rules by its size.",
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


def branch_bars(ladder: Ladder) -> Picture | None:
    """What each branch of the teacher sees: video AUC by forgery method, as bars from chance."""
    teacher = next((rung for rung in ladder.rungs if rung.branches), None)
    if teacher is None or not ladder.forgeries:
        return None
    bars = [(f"{branch.method} branch", branch.method, branch) for branch in teacher.branches]
    bars.append(("whole teacher", teacher.method, teacher))
    width = 0.8 / len(bars)
    places = np.arange(len(ladder.forgeries))
    with mpl.rc_context(STYLE):
        figure, axes = new_figure()
        for i, (label, method, rung) in enumerate(bars):
            aucs = np.array([rung.by_method[f] for f in ladder.forgeries], dtype=np.float64)
            axes.bar(
                places + (i - (len(bars) - 1) / 2) * width,
                aucs - 0.5,
                width * 0.9,
                bottom=0.5,
                color=colour(method),
                label=label,
            )
        axes.axhline(0.5, color=INK, linewidth=1)
        axes.grid(visible=False, axis="x")
        axes.set_xticks(places, ladder.forgeries)
        axes.set(ylabel="video AUC", ylim=(min(0.45, axes.get_ylim()[0]), 1.0))
        figure.legend(loc="outside upper center", ncols=len(bars))
        return Picture(
            "What each branch of the teacher sees",
            to_svg(figure, "branches"),
            "Each forgery method against all reals of the test split; bars start at chance, 0.5.",
        )


def _in_order(runs: Sequence[Run]) -> list[Run]:
    rank = {method: i for i, method in enumerate(DESCRIPTIONS)}
    return sorted(runs, key=lambda run: (rank.get(run.method, len(rank)), run.method, run.seed))


def _labelled(runs: Sequence[Run]) -> list[tuple[Run, str]]:
    """Each run with its legend entry: the first of a method names it, `_` hides the others."""
    named: set[str] = set()
    labelled = []
    for run in runs:
        labelled.append((run, "_" if run.method in named else run.method))
        named.add(run.method)
    return labelled


def _dash(run: Run) -> str:
    return "--" if run.method == "teacher" else "-"


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
