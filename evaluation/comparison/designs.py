"""The designs of a sweep, compared by their validation metric and by their cost."""

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import msgspec
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from evaluation.comparison.estimate import estimate
from evaluation.formatting import count, figure, signed, spoken
from records.files import replacing, write_file

CLASS_PATH = re.compile(r"^(\w+\.)+(?=[A-Z]\w*$)")  # the module of a class path
LABEL_WIDTH = 56  # characters per line beside the plot
PAIRED = ["difference", "low", "high"]
MEASURED = ("metric", "trained_parameters", "seconds", "cosine", "conflict")


class PointRecord(msgspec.Struct, frozen=True):
    """point.json: a finished point of a sweep.

    Attributes:
        id: Name of the point, and of its run's folder.
        parameters: The value of every parameter.
        design: The parameters that vary in the sweep, without the seed.
        metric: The best value of the compared metric over the epochs; None if it was never finite.
        trained_parameters: Number of weights that were trained, projectors included.
        seconds: Duration of the training.
        cosine: Median cosine of the two tasks' gradients; None with fewer tasks.
        conflict: Share of the logged steps whose cosine is negative.
        settings: The settings that all points of the sweep share; None in earlier records.
        configs: The content of the point's configs by their paths; None in earlier records.
    """

    id: str
    parameters: dict[str, Any]
    design: dict[str, Any]
    metric: float | None
    trained_parameters: int
    seconds: float
    cosine: float | None
    conflict: float | None
    settings: dict[str, str] | None = None
    configs: dict[str, dict[str, Any]] | None = None


class Comparison(NamedTuple):
    """The table of designs, the best first.

    Attributes:
        designs: Columns design, seeds, median, lowest, highest, trained_parameters, seconds,
            cosine and conflict; one row per design. Then difference, low and high: from the first
            design, paired by the other parameters, with its 95 % interval over the pairs.
        runs: Columns run, the parameters, and MEASURED; one row per run.
        metric: The metric of median, lowest and highest.
    """

    designs: pd.DataFrame
    runs: pd.DataFrame
    metric: str

    def rows(self) -> list[list[str]]:
        """Return the table of designs as text, the headings first."""
        shown = self.designs.drop(columns=PAIRED)
        rows = [[spoken(str(name)) for name in shown]]
        row: Any
        for row in self.designs.itertuples():
            two_tasks = not pd.isna(row.cosine)
            found = [None if pd.isna(v) else v for v in (row.median, row.lowest, row.highest)]
            cells = [
                row.design,
                str(row.seeds),
                *(figure(value) for value in found),
                count(row.trained_parameters),
                f"{row.seconds:.0f}",
                signed(row.cosine, 2) if two_tasks else "",
                f"{row.conflict:.0%}" if two_tasks else "",
            ]
            rows.append(cells)
        return rows


def compare_designs(records: Sequence[PointRecord], metric: str, *, maximize: bool) -> Comparison:
    """Group the finished points of a sweep by design, over their seeds."""
    points = pd.DataFrame(
        {name: [getattr(record, name) for record in records] for name in MEASURED}, dtype=float
    )
    named = [{"run": record.id, **record.parameters} for record in records]
    runs = pd.concat([pd.DataFrame(named), points], axis=1)
    points["design"] = _names([record.design for record in records])
    points["pair"] = [
        str({key: value for key, value in record.parameters.items() if key not in record.design})
        for record in records
    ]
    designs = points.groupby("design", sort=False).agg(
        seeds=("metric", "size"),
        median=("metric", "median"),
        lowest=("metric", "min"),
        highest=("metric", "max"),
        **{name: (name, "median") for name in MEASURED[1:]},
    )
    ordered = designs.sort_values("median", ascending=not maximize, kind="stable").reset_index()
    values = points.pivot_table("metric", index="pair", columns="design", dropna=False)
    best = values[ordered["design"][0]]
    paired = [_paired_mean(values[name] - best) for name in ordered["design"]]
    return Comparison(ordered.join(pd.DataFrame(paired, columns=PAIRED)), runs, metric)


def _paired_mean(differences: pd.Series) -> tuple[float, float, float]:
    """Return the mean of the known differences, and its interval over the pairs."""
    known = differences.dropna()
    if known.empty:
        return np.nan, np.nan, np.nan
    low, high = estimate(known, [0] * len(known)).interval()
    return float(known.mean()), float(low), float(high)


def _names(designs: Sequence[dict[str, Any]]) -> list[str]:
    """Name designs by their values; class paths by the class, if that keeps all designs apart."""
    full = [_name(design) for design in designs]
    short = [_name({k: CLASS_PATH.sub("", str(v)) for k, v in d.items()}) for d in designs]
    return short if len(set(short)) == len(set(full)) else full


def _name(design: dict[str, Any]) -> str:
    parts = [
        str(value) if len(design) == 1 else f"{name.rpartition('.')[2]}={value}"
        for name, value in design.items()
    ]
    return ", ".join(parts) or "all the same"


def write_comparison(folder: Path, comparison: Comparison) -> list[Path]:
    """Write sweep.csv, runs.csv and the plot sweep.svg, and return their paths."""
    paths = [folder / name for name in ("sweep.csv", "runs.csv", "sweep.svg")]
    write_file(paths[0], comparison.designs.to_csv(index=False))
    write_file(paths[1], comparison.runs.to_csv(index=False))
    _plot(comparison.designs, comparison.metric, paths[2])
    return paths


def _plot(designs: pd.DataFrame, metric: str, path: Path) -> None:
    with mpl.rc_context({"svg.hashsalt": "sweep", "svg.fonttype": "none"}):
        drawing = Figure(figsize=(10, 1.2 + 0.4 * len(designs)), layout="constrained")
        quality, cost = drawing.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        rows = range(len(designs))
        below, above = designs["median"] - designs["lowest"], designs["highest"] - designs["median"]
        quality.errorbar(designs["median"], rows, xerr=[below, above], fmt="o", capsize=3)
        names = [textwrap.fill(name, LABEL_WIDTH) for name in designs["design"]]
        quality.set_yticks(rows, names, fontsize=8)
        quality.invert_yaxis()  # the best at the top
        quality.set(xlabel=f"{metric}, median and range")
        cost.barh(rows, designs["trained_parameters"], height=0.5)
        cost.xaxis.set_major_formatter(EngFormatter())
        cost.set(xlabel="trained parameters")
        for axes in (quality, cost):
            axes.grid(axis="x", alpha=0.3)
        with replacing(path) as partial:
            drawing.savefig(partial, format="svg", metadata={"Date": None})
