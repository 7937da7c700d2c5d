import json
from argparse import ArgumentError
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path

from jsonargparse.typing import PositiveInt
from rich.console import Console

from cli.parsing.parser_errors import describe
from errors import InputError
from evaluation.comparison.designs import compare_designs, write_comparison
from evaluation.report.terminal import new_table
from experiments.runner import exit_if_failed, run_all, slots
from experiments.sweep import SweepRun, plan_sweep, read_points
from experiments.sweep_file import read_sweep_file
from training.trainer_cli import run_trainer_command


def sweep(
    file: Path,
    out: Path = Path("runs/sweeps"),
    count: PositiveInt | None = None,
    jobs: PositiveInt | None = None,
    options: list[str] = [],  # noqa: B006 -- read only; None would hide the default from --help
) -> None:
    """Run a W&B sweep file locally, without account or network, and compare its designs.

    The file must describe a grid. Every point is a run of its own with an offline W&B run, in
    OUT/SWEEP/POINT. The same command resumes: finished points are reused, an interrupted one
    continues from its last checkpoint. Finished points of another command or metric are rejected.

    Args:
        file: A sweep file, e.g. of configs/sweeps.
        out: Folder for the folders of sweeps.
        count: Run only the first points, at most this many.
        jobs: Points at a time, which share the GPUs or the cores. Default: one per GPU,
            or one per core, 4 at most.
        options: Arguments for every run, without their dashes, e.g. data.crops=data/crops. They
            replace fixed values of the file.

    Raises:
        InputError: The file is no grid, a parameter, a class or a value does not exist, the grid
            varies an option, or a finished point was run with other settings.
    """
    console = Console(markup=False, highlight=False, soft_wrap=True)
    swept = read_sweep_file(file).with_options(options)
    environments = slots(jobs)
    folder = out / file.stem
    runs = plan_sweep(swept, folder)[:count]
    read_points(runs)  # rejects points that cannot be reused before others run
    _check(file, runs)
    console.print(f"{file}: {len(runs)} points, {len(environments)} at a time, in {folder}")
    failed = run_all(runs, environments, console)
    if records := read_points(runs):
        maximize = swept.metric.goal == "maximize"
        comparison = compare_designs(records, swept.metric.name, maximize=maximize)
        paths = write_comparison(folder, comparison)
        (first, *columns), *rows = comparison.rows()
        table = new_table(comparison.metric, first, columns)
        table.padding = 0  # nine columns in 80 characters
        for row in rows:
            table.add_row(*row)
        console.print(table)
        for path in paths:
            console.print(str(path))
    exit_if_failed(failed, console)


def _check(file: Path, runs: Sequence[SweepRun]) -> None:
    """Parse commands until each value of the grid was parsed once, before any run starts."""
    seen: set[tuple[str, str]] = set()
    for run in runs:
        values = {(n, json.dumps(v, default=str)) for n, v in run.point.parameters.items()}
        if values <= seen:
            continue
        seen |= values
        try:
            with redirect_stdout(StringIO()), suppress(SystemExit):  # printing the config exits
                run_trainer_command([*run.argv, "--print_config"])
        except (ArgumentError, InputError) as error:
            msg = f"{file}: {describe(str(error))}"
            raise InputError(msg) from error
