"""Figures of merit of tables of scores, at frame and at video level."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from msgspec.structs import asdict
from numpy.typing import ArrayLike

from errors import InputError
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.slices import slice_results
from evaluation.metrics.spread import Spread, mean_spread, of_method, spread_of
from evaluation.metrics.weighted_metrics import weighted_figures
from inference.aggregation import DEFAULT
from records.identities import IdentityUnits, shown_people
from records.results import (
    FIGURES,
    Figures,
    Interval,
    LevelMetrics,
    Levels,
    MacroMetrics,
    TestMetrics,
)
from records.scores import VIDEO_KEY, check_scores

LEVELS = ("frame", "video")


def binary_metrics(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Figures[float | None]:
    """Compute the figures of one set of frames or videos; undefined ones are None.

    Args:
        labels: [N], 1 = fake, 0 = real.
        scores: [N], probability of fake, finite.
        threshold: Scores of at least this are classified as fake.
    """
    truth, score = np.asarray(labels, dtype=np.int64), np.asarray(scores, dtype=np.float64)
    one_group = np.ones((1, 1)), np.zeros(len(truth), dtype=np.int64)
    figures = weighted_figures(truth, score, threshold, *one_group)
    return Figures(
        **{name: None if np.isnan(value) else float(value) for name, (value,) in figures.items()}
    )


def choose_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold with the highest balanced accuracy, for use on the validation split.

    Candidates are the midpoints between neighbouring scores, and the lowest score. Among equally
    good candidates the one nearest to 0.5 is chosen, then the lower one. See `binary_metrics`.

    Raises:
        InputError: There is only one class.
    """
    truth, score = np.asarray(labels, dtype=np.int64), np.asarray(scores, dtype=np.float64)
    if len(np.unique(truth)) < 2:
        msg = (
            f"validation split: {int(truth.sum())} fake of {len(truth)} scores, expected both "
            "classes to choose a threshold on: check the split files"
        )
        raise InputError(msg)
    levels = np.unique(score)
    below = np.append(levels[0], levels[:-1])
    middle = below + (levels - below) / 2
    # The lowest score has no lower neighbour, and adjacent floats have no midpoint.
    candidates = np.where(middle > below, middle, levels)
    fpr, tpr = (
        1 - np.searchsorted(np.sort(score[truth == label]), levels) / (truth == label).sum()
        for label in (0, 1)
    )
    gain = tpr - fpr
    best = candidates[np.isclose(gain, gain.max(), rtol=0, atol=1e-12)]
    return float(min(best, key=lambda level: (round(abs(level - 0.5), 12), level)))


def evaluate_scores(
    scores: pd.DataFrame,
    thresholds: Mapping[str, float],
    aggregation: str = DEFAULT,
    slices: Sequence[str] = (),
) -> dict[str, TestMetrics]:
    """Compute the `metrics` block of results.json.

    Args:
        scores: Rows of `records.scores.COLUMNS`, and PEOPLE if known.
        thresholds: Thresholds of "frame" and "video", see `choose_threshold`.
        aggregation: Aggregation of frame scores, see `video_scores`.
        slices: Columns of the scores that divide the videos into slices.

    Returns:
        Metrics by "<data set> <compression>/test".
    """
    check_scores(scores)
    videos = video_scores(scores, aggregation)
    videos[list(slices)] = scores.drop_duplicates(VIDEO_KEY)[list(slices)].to_numpy()
    levels = {"frame": scores, "video": videos}
    tests = videos[["dataset", "compression"]].drop_duplicates()
    return {
        f"{dataset} {compression}/test": _evaluate_test(
            {
                level: table[(table["dataset"] == dataset) & (table["compression"] == compression)]
                for level, table in levels.items()
            },
            thresholds,
            slices,
        )
        for dataset, compression in tests.itertuples(index=False)
    }


def _evaluate_test(
    tables: Mapping[str, pd.DataFrame], thresholds: Mapping[str, float], slices: Sequence[str]
) -> TestMetrics:
    """Compute the figures of one test set, given its frames and videos, and their intervals."""
    units = IdentityUnits(shown_people(tables["video"]))
    fakes = tables["video"].loc[tables["video"]["label"] == 1, "method"].unique()

    def measure(level: str, method: str | None) -> tuple[LevelMetrics, Spread]:
        table, threshold = of_method(tables[level], method), thresholds[level]
        spread = spread_of(table, threshold, units)
        figures = asdict(binary_metrics(table["label"], table["score"], threshold))
        fake = int(table["label"].sum())
        metrics = LevelMetrics(
            **figures,
            threshold=float(threshold),
            real=len(table) - fake,
            fake=fake,
            intervals=_intervals(figures, spread),
        )
        return metrics, spread

    parts = {method: {level: measure(level, method) for level in LEVELS} for method in fakes}
    macro = None
    if len(parts) > 1:
        macro = Levels(
            **{level: _macro([part[level] for part in parts.values()]) for level in LEVELS}
        )
    return TestMetrics(
        overall=Levels(**{level: measure(level, None)[0] for level in LEVELS}),
        by_method={
            str(method): Levels(**{level: metrics for level, (metrics, _) in part.items()})
            for method, part in parts.items()
        },
        macro=macro,
        slices={
            column: found
            for column in slices
            if (found := slice_results(tables["video"], column, thresholds["video"]))
        },
    )


def _macro(parts: Sequence[tuple[LevelMetrics, Spread]]) -> MacroMetrics:
    """Average over the methods; a figure that is undefined for one method is undefined."""
    means: dict[str, float | None] = {}
    for name in FIGURES:
        values = [getattr(metrics, name) for metrics, _ in parts]
        means[name] = None if None in values else float(np.mean(values))
    spread = mean_spread([spread for _, spread in parts])
    return MacroMetrics(**means, methods=len(parts), intervals=_intervals(means, spread))


def _intervals(figures: Mapping[str, float | None], spread: Spread) -> Figures[Interval | None]:
    return Figures(**{name: spread.interval(name, figures[name]) for name in FIGURES})
