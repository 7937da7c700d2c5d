"""Tables of the figures per slice."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.table import Table

from evaluation.comparison.run import Run
from evaluation.formatting import count, signed, signed_interval, spoken, test_name, with_interval
from evaluation.report.terminal import new_table
from records.results import TestMetrics
from records.slices import SLICED, SliceResults


class Sliced(NamedTuple):
    """The slices of a run's test set by one column, e.g. `skin_tone`."""

    run: str
    test: str
    column: str
    results: SliceResults


def find_slices(runs: Sequence[Run]) -> list[Sliced]:
    """Return all slices of runs, in their order."""
    return [
        Sliced(run.name, test, column, results)
        for run in runs
        for test, metrics in run.metrics().items()
        for column, results in metrics.slices.items()
    ]


def slice_tables(metrics: Mapping[str, TestMetrics]) -> Iterator[Table]:
    """Yield a table for each test set and column of slices, and one line per widest gap."""
    for test, found in metrics.items():
        for column, results in found.slices.items():
            yield _table(f"{test_name(test)}, videos by {spoken(column)}", column, results)


def _table(title: str, column: str, results: SliceResults) -> Table:
    headers = ["real", "fake", "identities", *map(str.upper, SLICED)]
    table = new_table(title, spoken(column), headers)
    for name, one in results.slices.items():
        counts = map(count, (one.real, one.fake, one.identities))
        figures = (getattr(one, figure) for figure in SLICED)
        table.add_row(name, *counts, *(with_interval(f.value, f.interval) for f in figures))
    if results.gaps:
        gaps = [results.gaps.get(figure) for figure in SLICED]
        differences = (
            f"{signed(gap.difference)}\n{signed_interval(gap.interval)}" if gap else ""
            for gap in gaps
        )
        pairs = (f"{gap.highest} -\n{gap.lowest}" if gap else "" for gap in gaps)
        table.add_section()
        table.add_row("widest gap", "", "", "", *differences)
        table.add_row("", "", "", "", *pairs)
    return table
