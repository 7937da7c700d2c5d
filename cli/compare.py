import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from errors import InputError
from evaluation.comparison.differences import (
    Difference,
    check_same_videos,
    pair_runs,
    paired_difference,
)
from evaluation.comparison.ladder import build_ladder, ladder_order, small_counts
from evaluation.comparison.protocols import check_comparable, protocol_differences
from evaluation.comparison.run import Run, find_runs
from evaluation.comparison.verdicts import (
    FEWEST_IDENTITIES,
    FEWEST_RUNS,
    LEVEL,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    decide,
    holm,
    two_sided,
)
from evaluation.formatting import MISSING, signed, signed_interval, test_name
from evaluation.report.reference_tables import print_references
from evaluation.report.terminal import ladder_tables, new_table
from records.protocol import CONFIDENCE


def compare(
    runs: list[Path],
    test: str | None = None,
    any_protocol: bool = False,
    references: bool = False,
) -> None:
    """Print the table of runs, and the difference of each method from the first run's method.

    Methods are paired by teacher and seed, a teacher with all of its students. The interval is over
    runs and test identities together. A difference on the main test set is called higher, lower or
    level as the claims are, after Holm over the methods; fewer than three runs decide nothing.

    Args:
        runs: Two or more run folders, or folders of run folders, such as a reproduction.
        test: Test set to compare on, e.g. "FaceForensics++ c40/test"; default: the one of the data
            set and compression that the runs were trained on.
        any_protocol: Allow runs of different protocols in one table; the differences are printed.
        references: Print published figures on the same test sets too: in a table where their
            protocol is that of the first run, apart from it with the differences where it is not.

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
    console = Console(markup=False, highlight=False)
    for table in tables:
        console.print(table)
    if references:
        print_references(found, console)
    for line in protocol_differences(found):
        console.print(Text.assemble(("protocols differ", "bold"), f" in {line}"))
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
    renamed = {}
    for run, name, method in zip(alike, names, methods, strict=True):
        info = replace(run.results.run, name=name, method=method)
        renamed[id(run)] = Run(run.folder, replace(run.results, run=info))
    return [renamed.get(id(run), run) for run in runs]


def _difference_table(runs: Sequence[Run], test: str | None) -> Table:
    """List each method's differences on every test set and, on the main one, every forgery."""
    base = runs[0].method
    key = test or runs[0].in_domain
    title = f"video AUC minus that of {base}, paired"
    table = new_table(title, "method and test set", ("AUC", "95% interval", ""))
    for column in table.columns[1:]:
        column.no_wrap = True
    tests = [key, *(name for name in runs[0].metrics() if name != key)]
    others = dict.fromkeys(run.method for run in runs if run.method != base)
    pairs = {method: pair_runs(runs, method, base) for method in others}
    words = _words({m: paired_difference(own, key) for m, own in pairs.items()})
    for method, own in pairs.items():
        count = f"{len(own)} pairs" if len(own) > 1 else "one pair"
        compared = f", {count if own else 'no run in common'}"
        table.add_row(Text.assemble((method, "bold"), compared))
        for name in tests:
            if not own or any(name not in run.metrics() for pair in own for run in pair):
                continue
            word = words[method] if name == key else ""
            table.add_row(f" {test_name(name)}", *_cells(paired_difference(own, name), word))
            for forgery in runs[0].metrics()[name].by_method if name == key else ():
                table.add_row(f"   {forgery}", *_cells(paired_difference(own, name, forgery), ""))
        table.add_section()
    return table


def _words(found: Mapping[str, Difference | None]) -> dict[str, str]:
    """Return the verdict on each method's difference; the methods are one family."""
    words = {}
    family: dict[str, Difference] = {}
    for method, difference in found.items():
        if difference is None:
            words[method] = ""
        elif difference.people < FEWEST_IDENTITIES:
            words[method] = f"{difference.people} identities"
        elif difference.runs < FEWEST_RUNS:
            words[method] = "1 run" if difference.runs == 1 else f"{difference.runs} runs"
        else:
            family[method] = difference
    if family:
        names = {SUPPORTED: "higher", REFUTED: "lower", LEVEL: "level", UNDECIDED: "undecided"}
        adjusted = holm(np.array([two_sided(d.estimate) for d in family.values()]))
        for (method, difference), p in zip(family.items(), adjusted, strict=True):
            words[method] = names[str(decide(difference.estimate, p))]
    return words


def _cells(difference: Difference | None, word: str) -> list[str]:
    if difference is None:
        return [MISSING, MISSING, "one class only"]
    return [signed(difference.mean), signed_interval(difference.interval(CONFIDENCE)), word]
