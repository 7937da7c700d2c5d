"""The mean of a figure over runs, with one interval from both of its variances.

Runs and test identities are crossed random effects, as readers and cases of a radiological study
are: every run is tested on the same people. The variance of the mean over runs is

    SE^2 = SE_runs^2 + SE_identities^2,

where SE_runs^2 is the spread between teachers (or the seeds of one teacher) and SE_identities^2 the
covariance that the runs share over test identities (Obuchowski and Rockette 1995, Hillis 2007), and
the interval is Student's t with Satterthwaite's degrees of freedom. docs/evaluation.md has the
simulated error rates.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, stdtr, stdtrit  # type: ignore[import-untyped]

from records.protocol import CONFIDENCE
from records.results import Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, or many of them as arrays.

    Attributes:
        mean: Mean over the teachers' means over their runs.
        runs: Variance of the mean due to the runs; NaN with one run.
        identities: Variance due to the test identities; 0 if unknown.
        runs_df: Degrees of freedom of `runs`.
        identities_df: Degrees of freedom of `identities`.
    """

    mean: Floats
    runs: Floats
    identities: Floats
    runs_df: Floats
    identities_df: float

    @property
    def se(self) -> Floats:
        """Standard error; of one run, over the test identities only."""
        return np.sqrt(np.nan_to_num(self.runs) + self.identities)

    @property
    def df(self) -> Floats:
        """Satterthwaite's degrees of freedom, at most twice those of the runs less one.

        Where three runs happen to agree, Satterthwaite's are too many: unbounded, 95 % intervals
        cover 92 %; with twice those of the runs, a family of five verdicts errs in 7.4 % of the
        cases after Holm.
        """
        runs = np.nan_to_num(self.runs)
        with np.errstate(divide="ignore", invalid="ignore"):  # one identity: none
            parts = runs**2 / self.runs_df + self.identities**2 / self.identities_df
            df = np.where(parts > 0, (runs + self.identities) ** 2 / parts, self.identities_df)
        return np.minimum(df, 2 * self.runs_df - 1)

    def interval(self, confidence: float = CONFIDENCE) -> Floats:
        """Return the bounds of the mean, `[..., 2]`."""
        half = stdtrit(self.df, (1 + confidence) / 2) * self.se
        return np.stack([self.mean - half, self.mean + half], axis=-1)

    def rate_interval(self, confidence: float = CONFIDENCE) -> Floats:
        """Return the bounds of a figure in [0, 1], on the logit scale, `[..., 2]`.

        Those of 0 and 1 are Clopper and Pearson's, for as many trials as independent units.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            half = stdtrit(self.df, (1 + confidence) / 2) * self.se / (self.mean * (1 - self.mean))
            bounds = expit(logit(self.mean)[..., None] + np.stack([-half, half], axis=-1))
            beyond = 1 - ((1 - confidence) / 2) ** (1 / (self.identities_df + 1))
        sure = np.stack([self.mean - beyond, self.mean + beyond], axis=-1).clip(0, 1)
        return np.where(np.isin(self.mean, (0, 1))[..., None], sure, bounds)

    def p_above(self, bar: float = 0.0) -> Floats:
        """Return the one-sided p-value of "the mean is not above the bar".

        A mean that does not vary gives 0 or 1, and 0.5 exactly at the bar.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (self.mean - bar) / self.se
        return np.where(self.se > 0, stdtr(self.df, -t), (1 - np.sign(self.mean - bar)) / 2)


def known_interval(bounds: Floats) -> Interval | None:
    """Return the bounds `[2]` of one interval as numbers; None if they are undefined."""
    return None if np.isnan(bounds).any() else (float(bounds[0]), float(bounds[1]))


def estimate(
    values: ArrayLike,
    teachers: Sequence[Hashable],
    covariance: ArrayLike | None = None,
    identities_df: float = np.inf,
) -> Estimate:
    """Estimate the mean of a figure, or of a paired difference, over runs.

    Seeds are nested in teachers. With several teachers, the spread of their means is the variance
    of the runs; where it is less than the seeds within the teachers explain, the latter is.

    Args:
        values: The figure of each of R runs, `[..., R]`.
        teachers: The teacher of each run.
        covariance: Of the figures over the test identities, `[..., R, R]`; default: unknown.
        identities_df: Degrees of freedom of the covariance.
    """
    figures = np.asarray(values, dtype=np.float64)
    member = np.array([[t == other for t in teachers] for other in dict.fromkeys(teachers)], float)
    sizes = member.sum(axis=1)
    average = member / sizes[:, None] if len(member) > 1 else np.eye(len(teachers))
    means = figures @ average.T  # of the teachers, or with one teacher of its runs
    count = means.shape[-1]
    runs, runs_df = np.full(means.shape[:-1], np.nan), np.full(means.shape[:-1], np.inf)
    if count > 1:
        runs, runs_df = means.var(axis=-1, ddof=1) / count, np.full(runs.shape, count - 1.0)
    if len(member) > 1 and (repeated := sizes > 1).any():
        squares = ((figures - (means @ member)) ** 2) @ member.T
        within = squares[..., repeated] / (sizes * (sizes - 1))[repeated]
        within = within.mean(axis=-1) / count
        runs_df = np.where(within > runs, (sizes - 1).sum(), runs_df)
        runs = np.maximum(runs, within)
    shared = np.full(runs.shape, 0.0 if count > 1 else np.nan)
    if covariance is not None:
        between = average @ np.asarray(covariance, dtype=np.float64) @ average.T
        total, own = between.sum(axis=(-1, -2)), np.trace(between, axis1=-2, axis2=-1)
        shared = own if count == 1 else np.maximum((total - own) / (count * (count - 1)), 0)
    return Estimate(means.mean(axis=-1), runs, shared, runs_df, identities_df)
