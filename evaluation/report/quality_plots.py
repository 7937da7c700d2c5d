"""Plots of detection quality: ROC, score histograms, spectra, robustness."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.comparison.ladder import by_method
from evaluation.comparison.run import Run
from evaluation.measurement.spectra import MeanSpectrum
from evaluation.report.picture import (
    DOTTED,
    INK,
    STYLE,
    Picture,
    color,
    dash,
    legend_above,
    new_figure,
    to_svg,
)
from records.identities import IdentityUnits, shown_people
from records.measurements import Robustness

_GRID = np.linspace(0, 1, 101)  # false-positive rates of the ROC
_BINS = np.linspace(0, 1, 26)
_BAND: Any = {"alpha": 0.14, "linewidth": 0}
# Colors of the forgery methods in the spectra, where no line is a rung of the ladder.
_FORGERIES = ("two-in-one", "spatial", "naive", "dedicated", "frequency", "student", "other")


@mpl.rc_context(STYLE)
def roc_curves(runs: Sequence[Run]) -> Picture | None:
    """Plot the ROC over the in-domain test videos, one line with its 95 % band per method."""
    groups = by_method([run for run in runs if run.video_auc is not None])
    if not groups:
        return None
    figure, (axes,) = new_figure()
    axes.plot([0, 1], [0, 1], **DOTTED)
    for method, group in groups.items():
        rates = [_true_positive_rates(run.videos) for run in group]
        line, *resampled = np.median(rates, axis=0)
        low, high = np.nanquantile(resampled, [0.025, 0.975], axis=0)
        axes.fill_between(_GRID, low, high, color=color(method), **_BAND)
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


def _true_positive_rates(videos: pd.DataFrame) -> NDArray[np.float64]:
    """Return the rates on the grid, of all videos and of each resample, `[1 + RESAMPLES, grid]`.

    They are NaN where a resample lacks a class.
    """
    units = IdentityUnits(shown_people(videos))
    order = np.argsort(-videos["score"].to_numpy(), kind="stable")
    scores = videos["score"].to_numpy()[order]
    fake = videos["label"].to_numpy()[order] == 1
    drawn = units.weights()[:, units.members(shown_people(videos))[order]]
    weights = np.vstack([np.ones(len(videos)), drawn])
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
    figure, panels = new_figure(len(groups), 1, 0.6 + 0.85 * len(groups))
    for axes, (method, group) in zip(panels, groups.items(), strict=True):
        videos = pd.concat([run.videos for run in group])
        for label, name, stroke in ((0, "real", INK), (1, "fake", color("fake"))):
            scores = videos.loc[videos["label"] == label, "score"]
            if len(scores):
                share = np.histogram(scores, _BINS)[0] / len(scores)
                axes.stairs(share, _BINS, color=stroke, fill=True, alpha=0.16)
                axes.stairs(share, _BINS, color=stroke, linewidth=1.3, label=name)
        for run in group:
            axes.axvline(run.video.threshold, **DOTTED)
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
def spectra(means: Sequence[MeanSpectrum], test: str) -> Picture | None:
    """Plot the mean spectra of a test set, and each forgery method's difference to the reals."""
    reals = [mean for mean in means if not mean.fake]
    fakes = [mean for mean in means if mean.fake]
    if not reals or not fakes:
        return None
    real = reals[0]
    frequency = np.linspace(0, 0.5, len(real.decibel))[1:]  # without the mean
    figure, (above, below) = new_figure(2, 1, 4.6)
    above.plot(frequency, real.decibel[1:], color=INK, label=real.method)
    below.axhline(0, color=INK, linewidth=1)
    for i, fake in enumerate(fakes):
        stroke = color(_FORGERIES[i % len(_FORGERIES)])
        difference = (fake.decibel - real.decibel)[1:]
        error = 1.96 * np.hypot(fake.deviation, real.deviation)[1:]
        above.plot(frequency, fake.decibel[1:], color=stroke, linewidth=1, label=fake.method)
        below.fill_between(frequency, difference - error, difference + error, color=stroke, **_BAND)
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


@mpl.rc_context(STYLE)
def robustness_curves(robustness: Robustness) -> Picture | None:
    """Plot video AUC by level of every corruption, clean at the left, all methods together."""
    corruptions = robustness.corruptions
    if not corruptions:
        return None
    rows, columns = -(-len(corruptions) // 2), min(2, len(corruptions))
    figure, panels = new_figure(rows, columns, 0.8 + 1.5 * rows, sharey=True)
    for axes in panels[len(corruptions) :]:
        axes.set_visible(False)
    for axes, (name, corruption) in zip(panels, corruptions.items(), strict=False):
        axes.axhline(0.5, **DOTTED)
        x = np.arange(len(corruption.levels) + 1)
        for line in robustness.methods:
            levels = [line.clean, *line.curves[name].levels]
            stroke = color(line.method)
            low, high = np.array([level.interval or (np.nan, np.nan) for level in levels]).T
            axes.fill_between(x, low, high, color=stroke, **_BAND)
            aucs = np.array([level.auc for level in levels], dtype=np.float64)
            axes.plot(x, aucs, dash(line.method), color=stroke, linewidth=1.3, label=line.method)
        axes.set_title(name, loc="left", fontsize=9)
        axes.set_xticks(x, ["clean", *map(str, x[1:])], fontsize=7.5)
    for axes in panels[::columns]:
        axes.set_ylabel("video AUC")
    legend_above(figure, panels[0])
    return Picture(
        "Video AUC under corruptions of the crops",
        to_svg(figure, "robustness"),
        f"{robustness.test_set}, the levels of each corruption from mild to severe, mean over "
        "the runs, with 95 % bands. Dotted: chance.",
    )
