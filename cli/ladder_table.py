import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from evaluation.results import Run


def ladder_tables(runs: Sequence["Run"]) -> "list[Table]":
    """The ladder, and its video AUC by forgery method and on other data; both 80 columns wide."""
    from rich import box
    from rich.table import Table

    from evaluation.formatting import count, figure, interval
    from evaluation.ladder import build_ladder

    ladder = build_ladder(runs)
    median = ", median over seeds" if ladder.several_seeds else ""
    whole = Table(title=f"{runs[0].in_domain}{median}")
    parts = Table(title=f"video AUC by forgery method, and on other data{median}")
    others = [name.split("/")[0].rpartition(" ")[0] for name in ladder.other_tests]
    fixed = ("parameters", "collapsed", "video AUC", "95% interval", "balanced accuracy")
    for table, names in ((whole, fixed), (parts, [*ladder.forgeries, *others])):
        table.box, table.title_justify = box.SIMPLE_HEAD, "left"
        table.padding = (0, 1, 0, 0)
        table.add_column("method", no_wrap=True)
        for name in names:
            header = re.sub(r" |(?<=mini-)|(?<=[a-z])(?=[A-Z])", "\n", name)
            table.add_column(header, justify="right", overflow="fold", vertical="bottom")
    for rung in ladder.rungs:
        for line in (rung, *rung.branches):
            own = line is rung
            name = rung.method if own else f"  {line.method} branch"
            whole.add_row(
                name,
                count(rung.params) if own else "",
                f"{rung.collapsed} of {len(rung.seeds)}" if own else "",
                figure(line.video_auc),
                interval(line.interval) if own else "",
                figure(line.balanced_accuracy),
            )
            aucs = [line.by_method[name] for name in ladder.forgeries]
            aucs += [line.across[name] for name in ladder.other_tests]
            parts.add_row(name, *map(figure, aucs))
    return [whole, parts] if ladder.forgeries or others else [whole]
