"""Uncertainty of a figure due to the choice of test videos: a bootstrap over identities."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.metrics.weighted_metrics import weighted_figures
from records.identities import IdentityResamples
from records.protocol import CONFIDENCE
from records.results import FIGURES, Interval

Resamples = dict[str, NDArray[np.float64]]
"""Values of each figure over the resamples, NaN if undefined."""


def resample_figures(
    table: pd.DataFrame,
    threshold: float,
    identities: IdentityResamples,
    names: Sequence[str] = FIGURES,
) -> Resamples:
    """Compute figures of frames or videos over the resamples of the test set's identities."""
    return weighted_figures(
        table["label"].to_numpy(dtype=np.int64),
        table["score"].to_numpy(dtype=np.float64),
        threshold,
        identities.weights,
        identities.members(table["video"]),
        names,
    )


def of_method(table: pd.DataFrame, method: str | None) -> pd.DataFrame:
    """Return the rows of all reals and of the fakes of one method; None selects all fakes."""
    if method is None:
        return table
    return table[(table["label"] == 0) | (table["method"] == method)]


def auc_resamples(videos: pd.DataFrame) -> NDArray[np.float64]:
    """Compute the video AUC over resamples of the identities of a whole test set, `[RESAMPLES]`."""
    identities = IdentityResamples(videos["video"])
    return resample_figures(videos, 0.5, identities, ["auc"])["auc"]


def percentile_interval(resamples: NDArray[np.float64]) -> Interval | None:
    """Return the central 95 % of the defined resamples, or None if there are none."""
    defined = resamples[~np.isnan(resamples)]
    if not len(defined):
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)
