import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from evaluation.results import Run


def ladder_tables(runs: Sequence["Run"], test: str | None = None) -> "list[Table]":
    """The ladder, and its video AUC by forgery method and on other data; both 80 columns wide.

    Args:
        runs: Of one protocol.
        test: Key of the test set; the runs' own where not given.
    """
    from rich import box
    from rich.table import Table

    from evaluation.formatting import count, figure, interval, with_interval
    from evaluation.ladder import build_ladder

    ladder = build_ladder(runs, test)
    median = ", median over seeds" if ladder.several_seeds else ""
    whole = Table(title=f"{ladder.test}{median}")
    parts = Table(title=f"video AUC by forgery method, and on other data{median}")
    others = [test_name(name) for name in ladder.other_tests]
    fixed = ("parameters", "collapsed", "video AUC", "95% interval", "balanced accuracy")
    for table, names in ((whole, fixed), (parts, [*ladder.forgeries, *others])):
        table.box, table.title_justify = box.SIMPLE_HEAD, "left"
        table.padding = (0, 1, 0, 0)
        table.add_column("method", no_wrap=True)
        for name in names:
            header = re.sub(r" |(?<=mini-)|(?<=[a-z])(?=[A-Z])", "\n", name)
            table.add_column(header, justify="right", overflow="fold")
    for rung in ladder.rungs:
        for line in (rung, *rung.branches):
            own = line is rung
            name = rung.method if own else f"  {line.method} branch"
            whole.add_row(
                name,
                count(rung.params) if own else "",
                f"{rung.collapsed} of {len(rung.seeds)}" if own else "",
                figure(line.video_auc),
                interval(line.interval),
                with_interval(line.balanced_accuracy, line.intervals["balanced_accuracy"]),
            )
            aucs = {**line.by_method, **line.across}
            parts.add_row(name, *(with_interval(aucs[part], line.intervals[part]) for part in aucs))
    return [whole, parts] if ladder.forgeries or others else [whole]


def test_name(key: str) -> str:
    """A test set's key as a heading: Celeb-DF comes in one compression of its own."""
    return key.removesuffix("/test").removesuffix(" release")
