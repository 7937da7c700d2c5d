"""Figures per slice of the test videos: the `slices` of a test set in results.json."""

from msgspec import Struct

Interval = tuple[float, float]

SLICED = ("fpr", "tpr", "auc")
"""The figures that are computed per slice."""


class Bounded(Struct, frozen=True, omit_defaults=True):
    """A figure and its 95 % interval over identities; None if undefined."""

    value: float | None
    interval: Interval | None = None


class SliceFigures(Struct, frozen=True, kw_only=True):
    """Figures of the videos of a slice: its reals against its fakes, at the run's threshold."""

    real: int
    fake: int
    identities: int
    fpr: Bounded
    tpr: Bounded
    auc: Bounded


class Gap(Struct, frozen=True):
    """The widest difference of a figure between two slices.

    Attributes:
        highest: Slice with the highest figure.
        lowest: Slice with the lowest one.
        difference: Highest minus lowest.
        interval: 95 % interval that holds for all pairs of slices at once; None if undefined.
        pairs: Number of pairs of slices.
    """

    highest: str
    lowest: str
    difference: float
    interval: Interval | None
    pairs: int


class SliceResults(Struct, frozen=True):
    """Figures by slice, and by figure the widest gap between two slices."""

    slices: dict[str, SliceFigures]
    gaps: dict[str, Gap]
