"""Tables for a terminal of 80 columns."""

import re
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from evaluation.comparison.ladder import Ladder, Rung
from evaluation.comparison.reproduction import Reproduction
from evaluation.formatting import count, figure, interval, quartiles, test_name, with_interval
from records.measurements import Profile, Robustness, Timing


def print_reproduction(reproduction: Reproduction, paths: Iterable[Path], console: Console) -> None:
    """Print the tables of the ladder, the verdicts on the claims, and the paths of the report."""
    for table in ladder_tables(reproduction.ladder):
        console.print(table)
    if reproduction.miniature:
        console.print(f"{reproduction.dataset} is a miniature: not FaceForensics++ figures")
    for line in reproduction.protocol_differences:
        console.print(f"[bold]protocols differ[/bold] in {line}")
    for claim in reproduction.claims:
        console.print(f"{claim.id} [bold]{claim.verdict}[/bold]: {claim.claim}")
    for path in paths:
        console.print(str(path), soft_wrap=True, highlight=False)


def ladder_tables(ladder: Ladder) -> list[Table]:
    """Return the ladder, and its video AUC by forgery method and on other data."""
    median = ", median over seeds" if ladder.several_seeds else ""
    lines = [(rung, line) for rung in ladder.rungs for line in (rung, *rung.branches)]
    fixed = ("parameters", "collapsed", "video AUC", "95% interval", "balanced accuracy")
    whole = _table(f"{ladder.test}{median}", "method", fixed)
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
        table = _table(f"video AUC {what}{median}", "method", map(test_name, keys))
        for rung, line in lines:
            aucs = {**line.by_method, "macro": line.macro, **line.across}
            cells = (with_interval(aucs[key], line.intervals[key]) for key in keys)
            table.add_row(_name(rung, line), *cells)
        tables.append(table)
    return tables


def cost_tables(profile: Profile) -> list[Table]:
    """Return a table of costs per form."""
    tables = []
    for form in dict.fromkeys(form for network in profile.networks for form in network.forms):
        title = f"{form}, {profile.threads} threads; below each figure the rounds' quartiles"
        table = _table(title, "network", ("parameters", "MACs", "latency ms", "crops/s"))
        for network in profile.networks:
            if timings := network.forms.get(form):
                table.add_row(
                    ", ".join(network.methods),
                    count(network.params),
                    count(network.macs),
                    _timing(timings.latency, 2),
                    _timing(timings.throughput, 0),
                )
        tables.append(table)
    for network in profile.networks:
        if network.not_exported:
            tables[
                -1
            ].caption = f"{', '.join(network.methods)} not exported: {network.not_exported}"
    return tables


def robustness_table(robustness: Robustness) -> Table:
    """Return the mean video AUC over the levels of each corruption."""
    lines = robustness.methods
    title = f"{robustness.test_set}: video AUC, mean over the levels"
    table = _table(title, "corruption", [line.method for line in lines])
    table.add_row("clean", *(with_interval(line.clean.auc, line.clean.interval) for line in lines))
    for name in robustness.corruptions:
        means = [line.curves[name].mean for line in lines]
        table.add_row(name, *(with_interval(mean.auc, mean.interval) for mean in means))
    return table


def _table(title: str, first: str, columns: Iterable[str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for name in columns:
        header = re.sub(r" |(?<=mini-)|(?<=[a-z])(?=[A-Z])", "\n", name)
        table.add_column(header, justify="right", overflow="fold")
    return table


def _name(rung: Rung, line: Rung) -> str:
    return rung.method if line is rung else f"  {line.method} branch"


def _timing(timing: Timing, digits: int) -> str:
    ratio = timing.times_better_than_teacher
    value = figure(timing.median, digits) + (f" ({ratio:.1f} x)" if ratio else "")
    return f"{value}\n{quartiles(timing, digits)}"
