"""AUC with the contribution of every sample to its deviation."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]

Floats = NDArray[np.float64]


def auc_contributions(labels: NDArray[np.int64], scores: Floats) -> tuple[Floats, Floats]:
    """Compute AUCs, and the contribution of each sample to an AUC's deviation from its expectation.

    The contributions are the centred structural components of DeLong et al. (1988), computed by
    ranks (Sun and Xu 2014), each divided by the size of its class: they sum to 0, and the variance
    of the AUC is that of their sum over independent units (Obuchowski 1997). Balanced accuracy is
    the AUC of the scores `score >= threshold`.

    Args:
        labels: `[N]`, 1 = fake, 0 = real.
        scores: `[..., N]`, of many networks at once.

    Returns:
        `[...]` and `[..., N]`; NaN where a class is missing.
    """
    fake = labels == 1
    ranks = rankdata(scores, axis=-1)
    parts = np.full(ranks.shape, np.nan)
    n_fake, n_real = np.count_nonzero(fake), np.count_nonzero(~fake)
    if not n_fake or not n_real:
        return np.full(ranks.shape[:-1], np.nan), parts
    parts[..., fake] = (ranks[..., fake] - rankdata(scores[..., fake], axis=-1)) / n_real
    parts[..., ~fake] = 1 - (ranks[..., ~fake] - rankdata(scores[..., ~fake], axis=-1)) / n_fake
    auc = parts[..., fake].mean(axis=-1)
    parts -= auc[..., None]
    return auc, parts / np.where(fake, n_fake, n_real)
