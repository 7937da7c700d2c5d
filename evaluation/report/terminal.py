"""Tables for a terminal of 80 columns."""

import re
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.comparison.committed import committed_experiment, describe_committed
from evaluation.comparison.ladder import Ladder
from evaluation.comparison.reproduction import Reproduction
from evaluation.comparison.transfer import Transfer
from evaluation.comparison.verdicts import NO_VERDICT
from evaluation.formatting import (
    count,
    figure,
    interval,
    signed,
    signed_interval,
    test_name,
    with_interval,
)
from evaluation.report.summary import QUESTION
from records.measurements import Profile, Robustness, Timing


def print_reproduction(reproduction: Reproduction, paths: Iterable[Path], console: Console) -> None:
    """Print the question and its verdicts, the tables, and the paths of the report."""
    console.print(QUESTION, style="bold")
    committed = committed_experiment(reproduction.dataset, reproduction.data.recipe)
    described = describe_committed(committed) if committed else ""
    known = {(c.id, c.reading): c.verdict for c in committed.claims} if committed else {}
    for claim in reproduction.claims:
        reading = f" with {claim.reading}" if claim.reading else ""
        verdict = (claim.verdict, "bold")
        console.print(Text.assemble(f"{claim.id}{reading} ", verdict, f": {claim.claim}"))
        found = known.get((claim.id, claim.reading))
        if found and claim.verdict == NO_VERDICT:
            console.print(f"   the committed experiment ({described}): {found}")
        for c in claim.comparisons:
            if c.mean is not None:
                figures = f"{signed(c.mean)} {signed_interval(c.interval)}"
                console.print(f"   {c.better} against {c.than}: {figures}")
    for table in ladder_tables(reproduction.ladder):
        console.print(table)
    if reproduction.transfer and reproduction.elsewhere:
        console.print(transfer_table(reproduction.transfer))
    if reproduction.miniature:
        console.print(f"{reproduction.dataset} is a miniature: not FaceForensics++ figures")
    for line in reproduction.protocol_differences:
        console.print(Text.assemble(("protocols differ", "bold"), f" in {line}"))
    for path in paths:
        console.print(str(path), soft_wrap=True, highlight=False)


def ladder_tables(ladder: Ladder) -> list[Table]:
    """Return the ladder, and its video AUC by forgery method and on other data."""
    mean = ", mean over runs" if ladder.several_seeds else ""
    fixed = ("parameters", "collapsed", "video AUC", "95% interval", "balanced accuracy")
    by_method = [*ladder.forgeries, "macro"] if len(ladder.forgeries) > 1 else ladder.forgeries
    whole = new_table(f"{ladder.test}{mean}", "method", fixed)
    parts = [
        (new_table(f"video AUC {what}{mean}", "method", map(test_name, keys)), keys)
        for what, keys in (("by forgery method", by_method), ("on other data", ladder.other_tests))
        if keys
    ]
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
                with_interval(*line.figures["balanced_accuracy"]),
            )
            for table, keys in parts:
                table.add_row(name, *(with_interval(*line.figures[key]) for key in keys))
    return [whole, *(table for table, _ in parts)]


def transfer_table(transfer: Transfer) -> Table:
    """Return the table of trained on x tested on."""
    table = new_table("video AUC, trained on x tested on", "trained on", [])
    table.add_column("method")
    for test in transfer.tests:
        table.add_column(test_name(test), justify="right", overflow="fold")
    for row in transfer.rows:
        cells = (with_interval(*cell) for cell in row.cells.values())
        table.add_row(test_name(row.trained), row.method, *cells)
    return table


def cost_tables(profile: Profile) -> list[Table]:
    """Return a table of costs per form."""
    tables = []
    for form in profile.forms:
        title = f"{form}, {profile.threads} threads; below each figure the rounds' quartiles"
        table = new_table(title, "network", ("parameters", "MACs", "latency ms", "crops/s"))
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
    lines = [
        f"{', '.join(network.methods)} not exported: {network.not_exported}"
        for network in profile.networks
        if network.not_exported
    ]
    lines += [f"{form} not measured: {reason}" for form, reason in profile.not_measured.items()]
    tables[-1].caption = "\n".join(lines)
    return tables


def robustness_table(robustness: Robustness) -> Table:
    """Return the mean video AUC over the levels of each corruption."""
    lines = robustness.methods
    title = f"{robustness.test_set}: video AUC, mean over the levels"
    table = new_table(title, "corruption", [line.method for line in lines])
    means = {name: [line.curves[name].mean for line in lines] for name in robustness.corruptions}
    for name, levels in {"clean": [line.clean for line in lines], **means}.items():
        table.add_row(name, *(with_interval(level.auc, level.interval) for level in levels))
    return table


def new_table(title: str, first: str, columns: Iterable[str]) -> Table:
    """Create a table with a name in the first column and figures in the others."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for name in columns:
        header = re.sub(r" |(?<=mini-)|(?<=[a-z])(?=[A-Z])", "\n", name)
        table.add_column(header, justify="right", overflow="fold")
    return table


def _timing(timing: Timing, digits: int) -> str:
    ratio = timing.times_better_than_teacher
    value = figure(timing.median, digits) + (f" ({ratio:.1f} x)" if ratio else "")
    return f"{value}\n{interval(timing.quartiles, digits)}"
