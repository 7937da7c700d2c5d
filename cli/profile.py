from pathlib import Path
from typing import Literal

from rich.console import Console

from callbacks.provenance import machine
from errors import require_number
from evaluation.measurement.cost import measure_costs
from evaluation.measurement.models import find_devices, load_models
from evaluation.report.folder import report_folder
from evaluation.report.terminal import cost_tables
from records.measurements import write_profile


def profile(
    runs: list[Path],
    out: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    rounds: int = 20,
) -> None:
    """Measure the cost of runs' models: size, operations, latency and throughput.

    Latency is of one crop, throughput of batches of 32, in eager mode and exported to ONNX, with
    all models interleaved. Networks that are built alike are measured once. `two-in-one report`
    of the same runs shows the figures.

    Args:
        runs: Run folders, folders of run folders, or checkpoints within a run's folder. Include a
            teacher to compare the others with it.
        out: Folder of profile.json; default: the folder of the runs' report.
        device: Where to run; auto is the CPU, and a GPU as well if one is visible.
        rounds: How often everything is timed; figures are medians over the rounds.

    Raises:
        InputError: No run, or a checkpoint that is missing, damaged or of another model.
    """
    require_number("--rounds", rounds, least=1)
    devices = find_devices(device)
    models = load_models(runs)
    folder = report_folder(runs, out)
    console = Console(markup=False)
    costs = measure_costs(models, devices, rounds, machine(), console)
    path = write_profile(folder, costs)
    for table in cost_tables(costs):
        console.print(table)
    console.print(str(path), soft_wrap=True, highlight=False)
