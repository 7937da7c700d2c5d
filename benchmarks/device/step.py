"""A training step with and without homogenization."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.device.timing import against, interleaved
from benchmarks.homogenization.contenders import Case, Ours, PlainSum

WIDTHS = (576, 2048)


def measure(
    name: str, device: torch.device, work: Path, *, quick: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure maps of every width, in rounds with a move of the rotations each."""
    for channels in WIDTHS:
        case = Case(f"C = {channels} map", channels, 224, batch=4 if quick else 64)
        contenders = {"plain sum": PlainSum, "homogenization": Ours}
        steps = {name: make(case, device).step for name, make in contenders.items()}
        repeats = 1 if quick else case.steps
        seconds = interleaved(steps, device, rounds=3 if quick else 20, repeats=repeats)
        yield case.name, {"batch": case.batch, **against(seconds, "plain sum")}
