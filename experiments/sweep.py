"""The points of a sweep as runs, and the record that each leaves when it has finished."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from errors import InputError, refuse_difference
from evaluation.comparison.designs import PointRecord
from experiments.runner import PlannedRun
from experiments.sweep_file import Metric, Point, SweepFile
from records.files import read_record, write_file, write_record
from records.folder import RunFolder
from records.provenance import read_provenance
from training.run_config import read_configs

RECORD = "point.json"
BEGAN = "began"
"""File of an unfinished point: the seconds of its earlier processes, modified at its last start."""


@dataclass(frozen=True, kw_only=True)
class SweepRun(PlannedRun):
    """The run of a point, which leaves point.json; see `PointRecord` for the design."""

    folder: Path
    point: Point
    design: dict[str, Any]
    metric: Metric
    settings: dict[str, str]
    configs: dict[str, dict[str, Any]]

    def before(self) -> None:
        """Note when the process starts, and how long earlier ones ran up to their checkpoint."""
        began, last = self.folder / BEGAN, RunFolder(self.folder).last
        seconds = 0.0
        if began.is_file():
            seconds = float(began.read_text())
            if last.is_file():
                seconds += max(0.0, last.stat().st_mtime - began.stat().st_mtime)
        write_file(began, f"{seconds}\n")

    def after(self) -> None:
        """Write the record of the finished point."""
        began, run = self.folder / BEGAN, RunFolder(self.folder)
        curves, metric = pd.read_csv(run.metrics), self.metric.name
        if metric not in curves:
            logged = ", ".join(name for name in map(str, curves) if "/" in name)
            msg = f"metric {metric!r} is not logged by {self.folder}: choose from {logged}"
            raise InputError(msg)
        values = curves[metric]
        cosines = curves["grad/cosine"].dropna() if "grad/cosine" in curves else None
        record = PointRecord(
            id=self.point.id,
            parameters=self.point.parameters,
            design=self.design,
            metric=float(values.max() if self.metric.goal == "maximize" else values.min()),
            trained_parameters=read_provenance(run).trained_parameters,
            seconds=float(began.read_text()) + time.time() - began.stat().st_mtime,
            cosine=None if cosines is None else float(cosines.median()),
            conflict=None if cosines is None else float((cosines < 0).mean()),
            settings=self.settings,
            configs=self.configs,
        )
        write_record(self.folder / RECORD, record)
        began.unlink()


def plan_sweep(swept: SweepFile, folder: Path) -> list[SweepRun]:
    """Return the runs of all points, each in a folder of its own.

    Raises:
        InputError: A config is missing, or is no YAML.
    """
    shared = _configs(swept.argv())
    own = [
        "--run.resume=true",
        "--run.wandb=offline",
        f"--run.group={folder.name}",
        "--trainer.enable_progress_bar=false",
    ]
    return [
        SweepRun(
            name=" ".join(point.argv()),
            argv=[*swept.argv(), *point.argv(), f"--run.dir={folder / point.id}", *own],
            finished=folder / point.id / RECORD,
            log=folder / point.id / "log.txt",
            folder=folder / point.id,
            point=point,
            design=swept.design(point),
            metric=swept.metric,
            settings=swept.settings(),
            configs=shared | _configs(point.argv()),
        )
        for point in swept.points()
    ]


def _configs(argv: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the content of configs as point.json holds it: JSON has no infinity and no date."""
    configs: dict[str, dict[str, Any]] = msgspec.json.decode(
        msgspec.json.encode(read_configs(argv))
    )
    return configs


def read_points(runs: Sequence[SweepRun]) -> list[PointRecord]:
    """Read the records of the points that have finished.

    Raises:
        InputError: A record is damaged, or of a point that was run with other settings.
    """
    records = []
    for run in [run for run in runs if run.is_finished]:
        path, again = run.folder / RECORD, "remove it and run the sweep again"
        record = read_record(path, PointRecord, "the record of a sweep's point", again)
        remedy = f"set it back, choose another --out, or remove {run.folder.parent}"
        for made, here in (record.settings, run.settings), (record.configs, run.configs):
            if made is not None:
                refuse_difference(f"{path}: made with", made, here, remedy)
        records.append(record)
    return records
