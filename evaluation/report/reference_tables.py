"""Published figures beside those of runs, for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from evaluation.comparison.references import Reference, read_references, split_references
from evaluation.comparison.run import Run
from evaluation.formatting import figure, signed, test_name
from evaluation.report.terminal import new_table


def print_references(runs: Sequence[Run], console: Console) -> None:
    """Print the published figures on the test sets of the runs, see `split_references`."""
    tests = [*runs[0].metrics()]
    alike, unlike = split_references(read_references(), runs[0], tests)
    if not alike and not unlike:
        names = ", ".join(map(test_name, tests))
        console.print(f"no published figure on {names} in evaluation/references.csv")
    for level in ("video", "frame"):
        if shown := [reference for reference in alike if reference.level == level]:
            _print_table(level, shown, runs, console)
    for one in unlike:
        figures = ", ".join(f"{name} {figure(auc)}" for name, auc in one.figures.items())
        other = (
            f", not comparable: {test_name(one.test)}, {one.level} AUC by {one.run_by} "
            f"({one.source}): {figures}"
        )
        console.print(Text.assemble(("another protocol", "bold"), other))
        for difference in one.differences:
            console.print(f"   {difference}")


def _print_table(
    level: str, references: Sequence[Reference], runs: Sequence[Run], console: Console
) -> None:
    title = f"published {level} AUC of the same protocol, and each run minus it"
    table = new_table(title, "detector and source", ["test set", "AUC", *(r.name for r in runs)])
    for reference in references:
        own = [run.figure("auc", reference.test, level) for run in runs]
        differences = [None if auc is None else auc - reference.auc for auc in own]
        table.add_row(
            f"{reference.detector}, {reference.run_by}\n{reference.source}",
            test_name(reference.test),
            figure(reference.auc),
            *map(signed, differences),
        )
    console.print(table)
