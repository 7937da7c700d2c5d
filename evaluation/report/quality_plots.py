"""Plots of detection quality: ROC, score histograms, the teacher's branches, spectra."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from evaluation.comparison.ladder import Ladder, by_method
from evaluation.comparison.run import Run
from evaluation.measurement.spectra import MeanSpectrum
from evaluation.report.picture import (
    FAINT,
    INK,
    STYLE,
    Picture,
    color,
    dash,
    legend_above,
    new_figure,
    new_grid,
    to_svg,
)
from records.identities import IdentityResamples

_GRID = np.linspace(0, 1, 101)  # false-positive rates of the ROC
_BINS = np.linspace(0, 1, 26)
_BAND = 0.14  # opacity
# Colors of the forgery methods in the spectra, where no line is a rung of the ladder.
_FORGERIES = ("two-in-one", "spatial", "naive", "dedicated", "frequency", "student", "other")


@mpl.rc_context(STYLE)
def roc_curves(runs: Sequence[Run]) -> Picture | None:
    """Plot the ROC over the in-domain test videos, one line with its 95 % band per method."""
    groups = by_method([run for run in runs if run.video_auc is not None])
    if not groups:
        return None
    figure, axes = new_figure()
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
    for method, group in groups.items():
        line = np.median([_tpr(run.videos) for run in group], axis=0)
        resampled = np.median([_resampled_tpr(run.videos) for run in group], axis=0)
        low, high = np.nanquantile(resampled, [0.025, 0.975], axis=0)
        axes.fill_between(_GRID, low, high, color=color(method), alpha=_BAND, linewidth=0)
        axes.plot(_GRID, line, color=color(method), linestyle=dash(method), label=method)
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower right")
    several = any(len(group) > 1 for group in groups.values())
    return Picture(
        "ROC over the test videos",
        to_svg(figure, "roc"),
        f"{runs[0].in_domain}{', median over seeds' if several else ''}: share of the fake videos "
        "detected against the share of the real videos called fake. Bands: 95 % over resamples of "
        "the test identities. Dotted: chance.",
    )


def _tpr(videos: pd.DataFrame) -> NDArray[np.float64]:
    fpr, tpr, _ = roc_curve(videos["label"], videos["score"])
    return np.interp(_GRID, fpr, tpr)


def _resampled_tpr(videos: pd.DataFrame) -> NDArray[np.float64]:
    """Return the true-positive rates `[RESAMPLES, grid]`, NaN where a resample lacks a class."""
    resamples = IdentityResamples(videos["video"])
    order = np.argsort(-videos["score"].to_numpy(), kind="stable")
    scores = videos["score"].to_numpy()[order]
    fake = videos["label"].to_numpy()[order] == 1
    weights = resamples.weights[:, resamples.members(videos["video"])[order]]
    last = np.append(np.diff(scores) != 0, True)  # one point per distinct score
    true_positives = np.cumsum(weights * fake, axis=1)[:, last]
    false_positives = np.cumsum(weights * ~fake, axis=1)[:, last]
    rates = np.full((len(weights), len(_GRID)), np.nan)
    for i in np.flatnonzero((true_positives[:, -1] > 0) & (false_positives[:, -1] > 0)):
        fpr = false_positives[i] / false_positives[i, -1]
        tpr = true_positives[i] / true_positives[i, -1]
        rates[i] = np.interp(_GRID, np.append(0, fpr), np.append(0, tpr))
    return rates


@mpl.rc_context(STYLE)
def score_histograms(runs: Sequence[Run]) -> Picture | None:
    """Plot the scores of real and fake test videos, one panel per method, over all seeds."""
    groups = by_method(runs)
    if not groups:
        return None
    figure, panels = new_grid(len(groups), 1, 0.6 + 0.85 * len(groups), sharex=True)
    for axes, (method, group) in zip(panels, groups.items(), strict=True):
        videos = pd.concat([run.videos for run in group])
        for label, name, stroke in ((0, "real", INK), (1, "fake", color("fake"))):
            scores = videos.loc[videos["label"] == label, "score"]
            if len(scores):
                share = np.histogram(scores, _BINS)[0] / len(scores)
                axes.stairs(share, _BINS, color=stroke, fill=True, alpha=0.16)
                axes.stairs(share, _BINS, color=stroke, linewidth=1.3, label=name)
        for run in group:
            threshold = run.video.threshold
            axes.axvline(threshold, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.set_title(method, loc="left", fontsize=9)
        axes.set(xlim=(0, 1), yticks=[])
        axes.grid(visible=False)
    panels[-1].set_xlabel("probability of fake")
    legend_above(figure, panels[0])
    return Picture(
        "Scores of the test videos",
        to_svg(figure, "scores"),
        f"{runs[0].in_domain}: share of the real and of the fake videos by score, over all seeds "
        "of a method. Dotted: the thresholds chosen on validation; scores to the right are called "
        "fake.",
    )


@mpl.rc_context(STYLE)
def branch_bars(ladder: Ladder) -> Picture | None:
    """Plot the video AUC of the teacher's branches by forgery method, as bars from chance."""
    teacher = next((rung for rung in ladder.rungs if rung.branches), None)
    if teacher is None or not ladder.forgeries:
        return None
    bars = [(f"{branch.method} branch", branch) for branch in teacher.branches]
    bars.append(("whole teacher", teacher))
    width = 0.8 / len(bars)
    x = np.arange(len(ladder.forgeries))
    figure, axes = new_figure()
    for i, (label, rung) in enumerate(bars):
        aucs = np.array([rung.by_method[f] for f in ladder.forgeries], dtype=np.float64)
        left = x + (i - (len(bars) - 1) / 2) * width
        fill = color(rung.method)
        axes.bar(left, aucs - 0.5, width * 0.9, bottom=0.5, color=fill, label=label)
    axes.axhline(0.5, color=INK, linewidth=1)
    axes.grid(visible=False, axis="x")
    axes.set_xticks(x, ladder.forgeries)
    axes.set(ylabel="video AUC", ylim=(min(0.45, axes.get_ylim()[0]), 1.0))
    legend_above(figure, axes)
    return Picture(
        "What each branch of the teacher detects",
        to_svg(figure, "branches"),
        f"{ladder.test}: each forgery method against all reals; bars start at chance, 0.5. The "
        "table shows the intervals.",
    )


@mpl.rc_context(STYLE)
def spectra(means: Sequence[MeanSpectrum], test: str) -> Picture | None:
    """Plot the mean spectra, and each forgery method's difference to the reals.

    Args:
        means: Spectra of the test set.
        test: Key of the test set, for the caption.
    """
    reals = [mean for mean in means if not mean.fake]
    fakes = [mean for mean in means if mean.fake]
    if not reals or not fakes:
        return None
    real = reals[0]
    frequency = np.linspace(0, 0.5, len(real.decibel))[1:]  # without the mean
    figure, (above, below) = new_grid(2, 1, 4.6, sharex=True)
    above.plot(frequency, real.decibel[1:], color=INK, label=real.method)
    below.axhline(0, color=INK, linewidth=1)
    for i, fake in enumerate(fakes):
        stroke = color(_FORGERIES[i % len(_FORGERIES)])
        difference = (fake.decibel - real.decibel)[1:]
        error = 1.96 * np.hypot(fake.deviation, real.deviation)[1:]
        above.plot(frequency, fake.decibel[1:], color=stroke, linewidth=1, label=fake.method)
        band = (difference - error, difference + error)
        below.fill_between(frequency, *band, color=stroke, alpha=_BAND, linewidth=0)
        below.plot(frequency, difference, color=stroke, linewidth=1.3)
    above.set(ylabel="power, dB")
    below.set(ylabel="fake − real, dB", xlabel="frequency, cycles per pixel")  # noqa: RUF001
    legend_above(figure, above)
    return Picture(
        "Mean spectra of real and fake crops",
        to_svg(figure, "spectra"),
        f"{test}: mean power of the crops by spatial frequency, averaged over all directions; "
        "below, the difference of each forgery method to the reals, with 1.96 standard errors over "
        "crops. The finest detail is at 0.5 cycles per pixel.",
    )
