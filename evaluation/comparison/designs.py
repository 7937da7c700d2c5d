"""The designs of a sweep, compared by their validation metric and by what they cost."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pandas as pd

from evaluation.formatting import count, figure

if TYPE_CHECKING:
    from rich.table import Table


COLUMNS = (
    "seeds",
    "median",
    "lowest",
    "highest",
    "trained parameters",
    "seconds",
    "cosine",
    "conflict",
)
CLASS_PATH = re.compile(r"^(\w+\.)+(?=[A-Z]\w*$)")  # what stands before the class's own name
LABEL_WIDTH = 56  # characters of a line beside the picture


@dataclass(frozen=True)
class Comparison:
    """A line for each design, the best first.

    Attributes:
        designs: Columns design, seeds, median, lowest, highest, trained_parameters, seconds, and
            of designs with two tasks their median cosine and the share of conflicting steps.
        runs: Columns run, one for every parameter, and what was measured.
        metric: What median, lowest and highest are of.
    """

    designs: pd.DataFrame
    runs: pd.DataFrame
    metric: str

    def table(self) -> "Table":
        """Lay the designs out for a terminal."""
        from rich import box
        from rich.table import Table

        table = Table(title=self.metric, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 0))
        table.add_column("design", overflow="fold")
        for name in COLUMNS:
            table.add_column(name.replace(" ", "\n"), justify="right", vertical="bottom")
        for row in self.designs.itertuples():
            table.add_row(*_cells(row))
        return table

    def markdown(self) -> str:
        """The same as Markdown."""
        lines = ["| " + " | ".join(("design", *COLUMNS)) + " |", "|---|" + "---:|" * len(COLUMNS)]
        lines += ["| " + " | ".join(_cells(row)) + " |" for row in self.designs.itertuples()]
        return f"# {self.metric}, best of each run's epochs\n\n" + "\n".join(lines) + "\n"


def compare_designs(
    records: Sequence[dict[str, Any]], metric: str, *, maximize: bool
) -> Comparison:
    """Gather the points of a sweep by design, over their seeds.

    Args:
        records: Of `point.json`: id, parameters, design, metric, trained_parameters, seconds,
            cosine, conflict.
        metric: Its name.
        maximize: Whether more is better.
    """
    measured = ("metric", "trained_parameters", "seconds", "cosine", "conflict")
    points = pd.DataFrame(
        {name: [record[name] for record in records] for name in measured}, dtype=float
    )
    named = [{"run": record["id"], **record["parameters"]} for record in records]
    runs = pd.concat([pd.DataFrame(named), points], axis=1)
    points["design"] = [describe(record["design"]) for record in records]
    designs = points.groupby("design", sort=False).agg(
        seeds=("metric", "size"),
        median=("metric", "median"),
        lowest=("metric", "min"),
        highest=("metric", "max"),
        trained_parameters=("trained_parameters", "median"),
        seconds=("seconds", "median"),
        cosine=("cosine", "median"),
        conflict=("conflict", "median"),
    )
    ordered = designs.sort_values("median", ascending=not maximize, kind="stable").reset_index()
    return Comparison(ordered, runs, metric)


def describe(design: dict[str, Any]) -> str:
    """Name a design by its values: the last part of class paths, and names where they differ."""
    parts = []
    for name, value in design.items():
        short = CLASS_PATH.sub("", str(value))
        parts.append(short if len(design) == 1 else f"{name.rpartition('.')[2]}={short}")
    return ", ".join(parts) or "all the same"


def write_comparison(folder: Path, comparison: Comparison) -> list[Path]:
    """Write sweep.csv, runs.csv, sweep.md and the picture sweep.svg; give their paths."""
    paths = [folder / name for name in ("sweep.csv", "runs.csv", "sweep.md", "sweep.svg")]
    comparison.designs.to_csv(paths[0], index=False)
    comparison.runs.to_csv(paths[1], index=False)
    paths[2].write_text(comparison.markdown())
    _picture(comparison.designs, comparison.metric, paths[3])
    return paths


def _picture(designs: pd.DataFrame, metric: str, path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    with mpl.rc_context({"svg.hashsalt": "sweep", "svg.fonttype": "none"}):
        drawing = Figure(figsize=(10, 1.2 + 0.4 * len(designs)), layout="constrained")
        quality, cost = drawing.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        rows = range(len(designs))
        below, above = designs["median"] - designs["lowest"], designs["highest"] - designs["median"]
        quality.errorbar(designs["median"], rows, xerr=[below, above], fmt="o", capsize=3)
        names = [textwrap.fill(name, LABEL_WIDTH) for name in designs["design"]]
        quality.set_yticks(rows, names, fontsize=8)
        quality.invert_yaxis()  # the best on top
        quality.set(xlabel=f"{metric}, median and range")
        cost.barh(rows, designs["trained_parameters"], height=0.5)
        cost.xaxis.set_major_formatter(EngFormatter())
        cost.set(xlabel="parameters that are trained")
        for axes in (quality, cost):
            axes.grid(axis="x", alpha=0.3)
        drawing.savefig(path, metadata={"Date": None})


def _cells(row: Any) -> list[str]:
    two_tasks = not pd.isna(row.cosine)
    return [
        row.design,
        str(row.seeds),
        *(figure(value) for value in (row.median, row.lowest, row.highest)),
        count(int(row.trained_parameters)),
        f"{row.seconds:.0f}",
        f"{row.cosine:+.2f}" if two_tasks else "",
        f"{row.conflict:.0%}" if two_tasks else "",
    ]
