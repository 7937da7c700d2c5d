"""How the claims' paired differences of video AUC spread in the record of an experiment."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.comparison.claims import CLAIMS
from evaluation.comparison.differences import pair_runs
from evaluation.comparison.run import find_runs

STUDENTS = ("spatial", "naive", "shared-trunk", "two-in-one")
FAMILY = list(dict.fromkeys(o for claim in CLAIMS for o in claim.orderings if not claim.bar))


def read_spreads(folder: Path) -> dict[str, float]:
    """Read the students' mean video AUC, and how their paired differences spread.

    Returns:
        The AUC; the standard deviation of a paired difference over runs; its standard errors over
        the test identities: what all runs share, and what one run adds; and their number.
    """
    runs = find_runs(folder)
    students = [run.video_auc for run in runs if run.method in STUDENTS]
    variances = []
    for one, other in FAMILY:
        pairs = pair_runs(runs, one, other)
        aucs = np.array([[run.video_auc for run in pair] for pair in pairs], dtype=np.float64)
        spreads = [[run.spread(run.in_domain) for run in pair] for pair in pairs]
        parts = np.array([ours.parts["auc"] - theirs.parts["auc"] for ours, theirs in spreads])
        shared, own = split_variance(spreads[0][0].units.covariance(parts))
        variances.append([(aucs[:, 0] - aucs[:, 1]).var(ddof=1), shared, own])
    over_runs, shared, own = np.sqrt(np.mean(variances, axis=0))
    found = {
        "auc": np.array(students, dtype=np.float64).mean(),
        "sd_of_paired_difference": over_runs,
        "se_of_identities": shared,
        "se_of_identities_in_one_run": own,
        "identities": runs[0].spread(runs[0].in_domain).units.people,
    }
    return {name: round(float(value), 4) for name, value in found.items()}


def split_variance(covariance: NDArray[np.float64]) -> tuple[float, float]:
    """Split the variances of `[…, runs, runs]` in what all runs share and what one run adds."""
    count = covariance.shape[-1]
    total = float(np.trace(covariance, axis1=-2, axis2=-1).mean()) / count
    shared = (float(covariance.sum((-2, -1)).mean()) / count - total) / (count - 1)
    return shared, total - shared
