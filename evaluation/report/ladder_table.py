import re
from collections.abc import Iterable

from rich import box
from rich.table import Table

from evaluation.comparison.ladder import Ladder, Rung
from evaluation.formatting import count, figure, interval, test_name, with_interval


def ladder_tables(ladder: Ladder) -> list[Table]:
    """The ladder, and its video AUC by forgery method and on other data; each 80 columns wide.

    Args:
        ladder: The table of comparable runs.
    """
    median = ", median over seeds" if ladder.several_seeds else ""
    lines = [(rung, line) for rung in ladder.rungs for line in (rung, *rung.branches)]
    fixed = ("parameters", "collapsed", "video AUC", "95% interval", "balanced accuracy")
    whole = _table(f"{ladder.test}{median}", fixed)
    for rung, line in lines:
        own = line is rung
        whole.add_row(
            _name(rung, line),
            count(rung.params) if own else "",
            f"{rung.collapsed} of {len(rung.seeds)}" if own else "",
            figure(line.video_auc),
            interval(line.interval),
            with_interval(line.balanced_accuracy, line.intervals["balanced_accuracy"]),
        )
    tables = [whole]
    by_method = [*ladder.forgeries, "macro"] if len(ladder.forgeries) > 1 else ladder.forgeries
    for what, keys in (("by forgery method", by_method), ("on other data", ladder.other_tests)):
        if not keys:
            continue
        table = _table(f"video AUC {what}{median}", map(test_name, keys))
        for rung, line in lines:
            aucs = {**line.by_method, "macro": line.macro, **line.across}
            cells = (with_interval(aucs[key], line.intervals[key]) for key in keys)
            table.add_row(_name(rung, line), *cells)
        tables.append(table)
    return tables


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.title_justify, table.padding = "left", (0, 1, 0, 0)
    table.add_column("method", overflow="fold")
    for name in columns:
        header = re.sub(r" |(?<=mini-)|(?<=[a-z])(?=[A-Z])", "\n", name)
        table.add_column(header, justify="right", overflow="fold")
    return table


def _name(rung: Rung, line: Rung) -> str:
    return rung.method if line is rung else f"  {line.method} branch"
