import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from errors import InputError

if TYPE_CHECKING:
    from rich.console import Console


def profile(
    runs: list[Path],
    out: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    rounds: int = 20,
) -> None:
    """Measure what the models of runs cost: size, work, latency and throughput.

    Latency is of one crop at a time, throughput of 32, in eager mode and exported to ONNX, all
    models interleaved. Networks that are built alike are measured once. `two-in-one report` over
    the same runs shows the figures.

    Args:
        runs: Run folders, folders of run folders, or checkpoints within a run's folder; a
            teacher's among them is what the others are compared with.
        out: Folder that profile.json is written to; by default that of the report of these runs.
        device: Where to run; auto is the CPU, and a GPU too if there is one.
        rounds: How often everything is timed; figures are medians over them.

    Raises:
        InputError: No run, or one whose checkpoint is missing, damaged or of another model.
    """
    import torch
    from rich.console import Console
    from rich.progress import Progress

    from callbacks.provenance import machine
    from cli.report import report_folder
    from evaluation.measurement.cost import distinct_networks, measure_costs
    from evaluation.measurement.models import load_models
    from records.files import write_record
    from records.measurements import PROFILE
    from records.results import VERSION

    if rounds < 1:
        msg = f"--rounds {rounds}: expected 1 at least"
        raise InputError(msg)
    if device == "cuda" and not torch.cuda.is_available():
        msg = "--device cuda: no GPU is visible to PyTorch here: leave --device out"
        raise InputError(msg)
    gpu = ["cuda"] if torch.cuda.is_available() else []
    devices = ["cpu", *gpu] if device == "auto" else [device]
    console = Console()
    networks = distinct_networks(load_models(runs))
    path = report_folder(runs, out) / PROFILE
    costs: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch, Progress(console=console) as progress:
        task = progress.add_task("measuring", total=len(networks) + rounds)
        for figures in measure_costs(networks, Path(scratch), devices, rounds):
            costs = figures or costs
            progress.advance(task, 0 if figures else 1)
    write_record(path, {"version": VERSION, "profile": {"machine": machine(), **costs}})
    _print(costs, console)
    console.print(str(path), soft_wrap=True, highlight=False)


def _print(costs: dict[str, Any], console: "Console") -> None:
    from rich import box
    from rich.table import Table

    from evaluation.formatting import count

    for form in dict.fromkeys(f for network in costs["networks"] for f in network["forms"]):
        table = Table(
            "network",
            title=f"{form}, {costs['threads']} threads; below each, the rounds' quartiles",
            box=box.SIMPLE_HEAD,
        )
        table.title_justify = "left"
        for name in ("parameters", "MACs", "latency ms", "crops/s"):
            table.add_column(name, justify="right")
        for network in costs["networks"]:
            if form not in network["forms"]:
                continue
            figures = network["forms"][form]
            table.add_row(
                ", ".join(network["methods"]),
                count(network["params"]),
                count(network["macs"]),
                _compared(figures["latency"], 2),
                _compared(figures["throughput"], 0),
            )
        console.print(table)
    for network in costs["networks"]:
        if network["not_exported"]:
            console.print(
                f"{', '.join(network['methods'])} not exported: {network['not_exported']}"
            )


def _compared(timed: dict[str, Any], digits: int) -> str:
    from evaluation.formatting import figure, quartiles

    ratio = timed["times_better_than_teacher"]
    told = figure(timed["median"], digits) + (f" ({ratio:.1f} x)" if ratio else "")
    return f"{told}\n{quartiles(timed, digits)}"
