import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from evaluation.comparison.differences import Difference
    from evaluation.comparison.run import Run


def compare(runs: list[Path], test: str | None = None, any_protocol: bool = False) -> None:
    """Print the table of runs, and what each method differs from the first run's by.

    Runs of one method are its seeds, and are paired by seed. Every difference has its intervals
    over the test identities and over the seeds; it is called higher or lower where all of them
    exclude zero.

    Args:
        runs: Two run folders or more, or folders of run folders, as a reproduction's; the runs of
            a folder come in the ladder's order, the teacher first.
        test: Test set to compare on, e.g. "FaceForensics++ c40/test"; default: the one that
            belongs to what the runs were trained on.
        any_protocol: Take runs of different protocols into one table; the differences are told.

    Raises:
        InputError: A folder without results, one cut short, or runs that are not comparable.
    """
    from rich.console import Console

    from evaluation.comparison.ladder import ladder_order, small_counts
    from evaluation.comparison.reproduction import check_comparable
    from evaluation.comparison.run import find_runs
    from evaluation.report.ladder_table import ladder_tables
    from records.protocol import protocol_differences

    found = _tell_apart([run for folder in runs for run in ladder_order(find_runs(folder))])
    if len(found) < 2:
        msg = f"runs: {len(found)} given, expected two or more to compare: name another"
        raise InputError(msg)
    check_comparable(found, any_protocol=any_protocol, test=test)
    differences = _difference_table(found, test)
    console = Console(highlight=False)
    for table in (*ladder_tables(found, test), differences):
        console.print(table)
    for line in protocol_differences(found):
        console.print(f"[bold]protocols differ[/bold] in {line}")
    for line in [*small_counts(found), *_repeated_tests(found)]:
        console.print(line)


def _tell_apart(runs: "Sequence[Run]") -> "list[Run]":
    """Name runs that share method and seed by their folders: they are contenders, not seeds."""
    seeds = [(run.method, run.seed) for run in runs]
    alike = [run for run, seed in zip(runs, seeds, strict=True) if seeds.count(seed) > 1]
    if not alike:
        return list(runs)
    above = os.path.commonpath([run.folder.resolve().parent for run in alike])
    places = [os.path.relpath(run.folder.resolve(), above) for run in alike]
    # Folders of seeds each, as two reproductions, stay methods with seeds.
    names = [str(Path(place).parent / run.method) for run, place in zip(alike, places, strict=True)]
    if len({(name, run.seed) for run, name in zip(alike, names, strict=True)}) < len(alike):
        names = places
    renamed = {
        id(run): {**run.results["run"], "name": place, "method": name}
        for run, place, name in zip(alike, places, names, strict=True)
    }
    return [
        replace(run, results={**run.results, "run": renamed[id(run)]})
        if id(run) in renamed
        else run
        for run in runs
    ]


def _difference_table(runs: "Sequence[Run]", test: str | None) -> "Table":
    """A line for each method but the first run's, on each test set and each forgery method."""
    from rich import box
    from rich.table import Table

    from evaluation.comparison.differences import paired_difference
    from evaluation.formatting import test_name

    base = runs[0].method
    key = test or runs[0].in_domain
    table = Table(title=f"video AUC less that of {base}, paired", box=box.SIMPLE_HEAD)
    table.title_justify, table.padding = "left", (0, 1, 0, 0)
    table.add_column("method and test set", overflow="fold")
    for name in ("AUC", "95% over\nidentities", "95% over\nseeds", ""):
        table.add_column(name, justify="right", no_wrap=True)
    tests = [key, *(name for name in runs[0].metrics() if name != key)]
    for method in dict.fromkeys(run.method for run in runs if run.method != base):
        pairs = _pair(runs, method, base)
        told = f"{len(pairs)} pairs" if len(pairs) > 1 else "one pair"
        table.add_row(f"[bold]{method}[/bold], {told if pairs else 'no seed in common'}")
        for name in tests:
            if not pairs or any(name not in run.metrics() for pair in pairs for run in pair):
                continue
            table.add_row(f" {test_name(name)}", *_cells(paired_difference(pairs, name)))
            for forgery in runs[0].metrics()[name]["by_method"] if name == key else ():
                difference = paired_difference(pairs, name, forgery)
                table.add_row(f"   {forgery}", *_cells(difference))
        table.add_section()
    return table


def _pair(runs: "Sequence[Run]", method: str, base: str) -> "list[tuple[Run, Run]]":
    """Runs of equal seed; a method's only run stands against each of the other's."""
    ours = {run.seed: run for run in runs if run.method == method}
    theirs = {run.seed: run for run in runs if run.method == base}
    if len(ours) == 1 or len(theirs) == 1:
        return [(a, b) for a in ours.values() for b in theirs.values()]
    return [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]


def _cells(difference: "Difference | None") -> list[str]:
    from evaluation.comparison.differences import FEWEST_IDENTITIES
    from evaluation.formatting import MISSING, signed, signed_interval

    if difference is None:
        return [MISSING, MISSING, MISSING, "one class only"]
    word = {1: "higher", -1: "lower", 0: "undecided"}[difference.sign]
    if difference.people < FEWEST_IDENTITIES:
        word = f"{difference.people} identities"
    return [
        signed(difference.mean),
        signed_interval(difference.identities),
        signed_interval(difference.seeds),
        word,
    ]


def _repeated_tests(runs: "Sequence[Run]") -> list[str]:
    """Say which runs have looked at their test split more than once."""
    return [
        f"{run.name}: tested {run.test_passes} times; a figure chosen after looking is no test"
        for run in runs
        if run.test_passes > 1
    ]
