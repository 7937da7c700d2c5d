"""What gradient homogenization adds to a step, beside its peers: `make bench-homogenization`.

Every contender trains the same small network with the same two tasks; only how the tasks'
gradients are combined differs. They are interleaved. A round has enough steps of each for a move of
the rotations. The figure is the median over the rounds of the ratio to the plain sum in the same
round, with its quartiles; the peak memory is that of three steps in a process of their own.

The official package runs where it is installed: `make bench-homogenization` gives it an environment
beside ours.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jsonargparse import auto_cli
from rich.console import Console
from rich.table import Table

from benchmarks.homogenization.contenders import (
    BRANCH_CASES,
    CONTENDERS,
    CPU_CASES,
    GPU_CASES,
    Case,
)
from benchmarks.machine import machine
from training.process import keep_freed_memory

RESULTS = Path(__file__).parents[1] / "results" / "homogenization"


def time_case(case: Case, device: torch.device, rounds: int) -> dict[str, dict[str, Any]]:
    """Time every contender's step, interleaved."""
    contenders = {name: make(case, device) for name, make in case.contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(rounds + 1):
        for name, contender in contenders.items():
            elapsed = _time(contender.step, case.steps, device)
            if round_:  # the first warms caches and allocators up
                seconds[name].append(elapsed)
    plain = np.array(seconds["plain sum"])
    figures = {}
    for name, times in seconds.items():
        low, ratio, high = np.quantile(np.array(times) / plain, [0.25, 0.5, 0.75])
        figures[name] = {
            "milliseconds": 1e3 * float(np.median(times)),
            "ratio": float(ratio),
            "ratio_quartiles": [float(low), float(high)],
        }
    return figures


def _time(step: Callable[[], None], steps: int, device: torch.device) -> float:
    if device.type != "cuda":
        began = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - began) / steps
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(steps):
        step()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3 / steps


def peak_memory(case: Case, name: str, device: torch.device) -> float:
    """Peak memory of three steps of one contender, in MiB: of the device, or of this process."""
    contender = CONTENDERS[name](case, device)
    for _ in range(3):
        contender.step()
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    # Not getrusage's: a child begins with its parent's peak.
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1]) / 2**10


def bench(
    device: str = "cpu", rounds: int = 10, branches: bool = False, only: str | None = None
) -> None:
    """Measure every contender in every case and write benchmarks/results/homogenization.

    Args:
        device: cpu or cuda.
        rounds: Timed rounds, each with eight steps or more of every contender.
        branches: Measure 1, 2, 4 and 8 branches instead of other ways to combine two.
        only: "CASE|CONTENDER": print that one's peak memory in MiB and nothing else; the benchmark
            calls itself so.
    """
    keep_freed_memory()  # as training does
    place = torch.device(device)
    cases = GPU_CASES if place.type == "cuda" else CPU_CASES
    cases = BRANCH_CASES if branches else cases
    if only is not None:
        case, contender = only.split("|")
        print(peak_memory({c.name: c for c in cases}[case], contender, place))
        return
    console = Console()
    results = []
    for case in cases:
        with console.status(case.name):
            figures = time_case(case, place, rounds)
            for name in case.contenders:
                words = [sys.executable, "-m", "benchmarks.homogenization", f"--device={device}"]
                words.append(f"--branches={str(branches).lower()}")
                done = subprocess.run(
                    [*words, f"--only={case.name}|{name}"],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                figures[name]["peak_mib"] = float(done.stdout)
        base = figures["plain sum"]["peak_mib"]
        for row in figures.values():
            row["memory_ratio"] = row["peak_mib"] / base
        console.print(_table(case, figures))
        results.append({"case": case.name, **asdict(case), "contenders": figures})
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{'branches-' if branches else ''}{place.type}.json"
    command = f"python -m benchmarks.homogenization --branches=true --device={device}"
    written = {
        "command": command if branches else f"make bench-homogenization DEVICE={device}",
        "rounds": rounds,
        "machine": machine(place),
        "results": results,
    }
    path.write_text(json.dumps(written, indent=2) + "\n")
    console.print(str(path))


def _table(case: Case, figures: dict[str, dict[str, Any]]) -> Table:
    table = Table(title=case.name, title_justify="left")
    for column in ("", "step, ms", "ratio", "peak memory, MiB", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in figures.items():
        table.add_row(
            name,
            f"{row['milliseconds']:.1f}",
            f"{row['ratio']:.2f}",
            f"{row['peak_mib']:.0f}",
            f"{row['memory_ratio']:.2f}",
        )
    return table


if __name__ == "__main__":
    auto_cli(bench)
