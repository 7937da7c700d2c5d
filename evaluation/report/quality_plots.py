"""The report's pictures of what the models tell apart: ROC, scores, branches, spectra."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from evaluation.comparison.ladder import Ladder
from evaluation.comparison.run import Run
from evaluation.measurement.spectra import MeanSpectrum
from evaluation.report.inline_svg import (
    FAINT,
    INK,
    STYLE,
    colour,
    dash,
    new_figure,
    new_grid,
    to_svg,
)
from evaluation.report.training_plots import Picture, by_method
from records.identities import IdentityResamples

_GRID = np.linspace(0, 1, 101)  # false-positive rates of the ROC
_BINS = np.linspace(0, 1, 26)
_BAND = 0.14  # opacity
# Spectra of forgeries are told apart by colour and line.
_FORGERIES = ("two-in-one", "spatial", "naive", "dedicated", "frequency", "student", "other")


def roc_curves(runs: Sequence[Run]) -> Picture | None:
    """ROC over the in-domain test videos: a line a method, with its 95 % band."""
    groups = by_method([run for run in runs if run.video_auc is not None])
    if not groups:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = new_figure()
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
        for method, group in groups.items():
            line = np.median([_tpr(run.videos) for run in group], axis=0)
            low, high = _band(group)
            shade = colour(method)
            axes.fill_between(_GRID, low, high, color=shade, alpha=_BAND, linewidth=0)
            axes.plot(_GRID, line, color=shade, linestyle=dash(method), label=method)
        axes.set(xlabel="reals called fake", ylabel="fakes called fake")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.legend(loc="lower right")
        several = any(len(group) > 1 for group in groups.values())
        return Picture(
            "ROC over the test videos",
            to_svg(figure, "roc"),
            f"{runs[0].in_domain}{', median over seeds' if several else ''}: the share of fakes "
            "found for the share of reals called fake. Bands: 95 % over resamples of the test "
            "identities. The dotted diagonal is chance.",
        )


def _tpr(videos: pd.DataFrame) -> NDArray[np.float64]:
    fpr, tpr, _ = roc_curve(videos["label"], videos["score"])
    return np.interp(_GRID, fpr, tpr)


def _band(group: Sequence[Run]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """2.5 % and 97.5 % of the true-positive rates on the grid, over resampled identities."""
    curves = np.median([_resampled_tpr(run.videos) for run in group], axis=0)
    low, high = np.nanquantile(curves, [0.025, 0.975], axis=0)
    return low, high


def _resampled_tpr(videos: pd.DataFrame) -> NDArray[np.float64]:
    """True-positive rates on the grid, `[RESAMPLES, grid]`, nan where a class was not drawn."""
    resamples = IdentityResamples(videos["video"])
    order = np.argsort(-videos["score"].to_numpy(), kind="stable")
    scores = videos["score"].to_numpy()[order]
    fake = videos["label"].to_numpy()[order] == 1
    weights = resamples.weights[:, resamples.members(videos["video"])[order]]
    last = np.append(np.diff(scores) != 0, True)  # videos of one score are called together
    caught = np.cumsum(weights * fake, axis=1)[:, last]
    alarms = np.cumsum(weights * ~fake, axis=1)[:, last]
    rates = np.full((len(weights), len(_GRID)), np.nan)
    for i in np.flatnonzero((caught[:, -1] > 0) & (alarms[:, -1] > 0)):
        fpr, tpr = alarms[i] / alarms[i, -1], caught[i] / caught[i, -1]
        rates[i] = np.interp(_GRID, np.append(0, fpr), np.append(0, tpr))
    return rates


def score_histograms(runs: Sequence[Run]) -> Picture | None:
    """Scores of real and fake test videos, one panel a method, all seeds together."""
    groups = by_method(runs)
    if not groups:
        return None
    with mpl.rc_context(STYLE):
        figure, panels = new_grid(len(groups), 1, 0.6 + 0.85 * len(groups), sharex=True)
        for axes, (method, group) in zip(panels, groups.items(), strict=True):
            videos = pd.concat([run.videos for run in group])
            for label, name, shade in ((0, "real", INK), (1, "fake", colour("fake"))):
                scores = videos.loc[videos["label"] == label, "score"]
                if len(scores):
                    share = np.histogram(scores, _BINS)[0] / len(scores)
                    axes.stairs(share, _BINS, color=shade, fill=True, alpha=0.16)
                    axes.stairs(share, _BINS, color=shade, linewidth=1.3, label=name)
            for run in group:
                threshold = run.video.threshold
                axes.axvline(threshold, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
            axes.set_title(method, loc="left", fontsize=9)
            axes.set(xlim=(0, 1), yticks=[])
            axes.grid(visible=False)
        panels[-1].set_xlabel("probability of fake")
        _legend(figure, panels[0])
        return Picture(
            "Scores of the test videos",
            to_svg(figure, "scores"),
            f"{runs[0].in_domain}: share of the real and of the fake videos by score, over all "
            "seeds of a method. Dotted: the thresholds chosen on validation; what is right of one "
            "is called fake.",
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
            f"{ladder.test}: each forgery against all reals; bars start at chance, 0.5. The table "
            "has the intervals.",
        )


def spectra(means: Sequence[MeanSpectrum], test: str) -> Picture | None:
    """Mean spectra of real and fake, and each forgery's difference to the reals.

    Args:
        means: Of the test set.
        test: Its key, for the caption.
    """
    reals = [mean for mean in means if not mean.fake]
    fakes = [mean for mean in means if mean.fake]
    if not reals or not fakes:
        return None
    real = reals[0]
    frequency = np.linspace(0, 0.5, len(real.decibel))[1:]  # the mean is taken out
    with mpl.rc_context(STYLE):
        figure, (above, below) = new_grid(2, 1, 4.6, sharex=True)
        above.plot(frequency, real.decibel[1:], color=INK, label=real.method)
        below.axhline(0, color=INK, linewidth=1)
        for i, fake in enumerate(fakes):
            shade = colour(_FORGERIES[i % len(_FORGERIES)])
            difference = (fake.decibel - real.decibel)[1:]
            error = 1.96 * np.hypot(fake.deviation, real.deviation)[1:]
            above.plot(frequency, fake.decibel[1:], color=shade, linewidth=1, label=fake.method)
            band = (difference - error, difference + error)
            below.fill_between(frequency, *band, color=shade, alpha=_BAND, linewidth=0)
            below.plot(frequency, difference, color=shade, linewidth=1.3)
        above.set(ylabel="power, dB")
        below.set(ylabel="fake − real, dB", xlabel="frequency, cycles a pixel")  # noqa: RUF001
        _legend(figure, above)
        return Picture(
            "Mean spectra of real and fake crops",
            to_svg(figure, "spectra"),
            f"{test}: mean power of the crops by spatial frequency, in all directions together; "
            "below, each forgery's difference to the reals, with 1.96 standard errors over crops. "
            "Half a cycle a pixel is the finest detail.",
        )


def _legend(figure: Figure, axes: mpl.axes.Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(3, len(labels)))
