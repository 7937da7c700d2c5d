import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from errors import InputError
from evaluation.comparison.differences import (
    FEWEST_IDENTITIES,
    Difference,
    check_same_videos,
    pair_runs,
    paired_difference,
)
from evaluation.comparison.ladder import build_ladder, ladder_order, small_counts
from evaluation.comparison.protocols import check_comparable, protocol_differences
from evaluation.comparison.run import Run, find_runs
from evaluation.formatting import MISSING, signed, signed_interval, test_name
from evaluation.report.terminal import ladder_tables, new_table


def compare(runs: list[Path], test: str | None = None, any_protocol: bool = False) -> None:
    """Print the table of runs, and the difference of each method from the first run's method.

    Methods are paired by seed; a single teacher is paired with every student. A difference is
    called higher or lower if its intervals over the test identities and over the seeds exclude 0.

    Args:
        runs: Two or more run folders, or folders of run folders, such as a reproduction.
        test: Test set to compare on, e.g. "FaceForensics++ c40/test"; default: the one of the data
            set and compression that the runs were trained on.
        any_protocol: Allow runs of different protocols in one table; the differences are printed.

    Raises:
        InputError: A folder has no results or damaged ones, or the runs are not comparable.
    """
    found = _name_by_folder([run for folder in runs for run in ladder_order(find_runs(folder))])
    if len(found) < 2:
        msg = f"runs: {len(found)} given, expected two or more to compare: name another"
        raise InputError(msg)
    check_comparable(found, any_protocol=any_protocol, test=test)
    for name in found[0].metrics():
        check_same_videos([run for run in found if name in run.metrics()], name)
    tables = (*ladder_tables(build_ladder(found, test)), _difference_table(found, test))
    console = Console(highlight=False)
    for table in tables:
        console.print(table)
    for line in protocol_differences(found):
        console.print(f"[bold]protocols differ[/bold] in {line}")
    for line in small_counts(found):
        console.print(line)
    for run in found:
        if run.test_passes > 1:
            console.print(
                f"{run.name}: tested {run.test_passes} times; a figure chosen after looking at the "
                "test split is not a test"
            )


def _name_by_folder(runs: Sequence[Run]) -> list[Run]:
    """Rename the runs that share method and seed by their folders: they are not seeds."""
    seeds = [(run.method, run.seed) for run in runs]
    alike = [run for run, seed in zip(runs, seeds, strict=True) if seeds.count(seed) > 1]
    if not alike:
        return list(runs)
    root = os.path.commonpath([run.folder.resolve().parent for run in alike])
    names = [os.path.relpath(run.folder.resolve(), root) for run in alike]
    # Two folders of seeds, such as two reproductions, are methods with several seeds each.
    methods = [str(Path(n).parent / run.method) for run, n in zip(alike, names, strict=True)]
    if len({(method, run.seed) for run, method in zip(alike, methods, strict=True)}) < len(alike):
        methods = names
    new = {id(run): pair for run, *pair in zip(alike, names, methods, strict=True)}
    return [_rename(run, *new[id(run)]) if id(run) in new else run for run in runs]


def _rename(run: Run, name: str, method: str) -> Run:
    info = msgspec.structs.replace(run.results.run, name=name, method=method)
    return Run(run.folder, msgspec.structs.replace(run.results, run=info))


def _difference_table(runs: Sequence[Run], test: str | None) -> Table:
    """List each method's differences on every test set and, on the main one, every forgery."""
    base = runs[0].method
    key = test or runs[0].in_domain
    title = f"video AUC minus that of {base}, paired"
    headings = ("AUC", "95% over identities", "95% over seeds", "")
    table = new_table(title, "method and test set", headings)
    for column in table.columns[1:]:
        column.no_wrap = True
    tests = [key, *(name for name in runs[0].metrics() if name != key)]
    for method in dict.fromkeys(run.method for run in runs if run.method != base):
        pairs = pair_runs(runs, method, base)
        count = f"{len(pairs)} pairs" if len(pairs) > 1 else "one pair"
        table.add_row(f"[bold]{method}[/bold], {count if pairs else 'no seed in common'}")
        for name in tests:
            if not pairs or any(name not in run.metrics() for pair in pairs for run in pair):
                continue
            table.add_row(f" {test_name(name)}", *_cells(paired_difference(pairs, name)))
            for forgery in runs[0].metrics()[name].by_method if name == key else ():
                difference = paired_difference(pairs, name, forgery)
                table.add_row(f"   {forgery}", *_cells(difference))
        table.add_section()
    return table


def _cells(difference: Difference | None) -> list[str]:
    if difference is None:
        return [MISSING, MISSING, MISSING, "one class only"]
    word = {1: "higher", -1: "lower", 0: "undecided"}[difference.side()]
    if difference.people < FEWEST_IDENTITIES:
        word = f"{difference.people} identities"
    intervals = (signed_interval(difference.identities), signed_interval(difference.seeds))
    return [signed(difference.mean), *intervals, word]
