"""How the cost of each stage grows with its size, and an estimate for FaceForensics++.

    python -m benchmarks.growth

Costs are CPU seconds of one thread, so that other work on the machine matters little. The slope is
that of log cost over log size: 1 is proportional, 0 is constant. The estimate also uses
benchmarks/results/data, which was measured on real videos.
"""

import itertools
import json
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jsonargparse import auto_cli

from benchmarks.growth_stages import STAGES
from benchmarks.machine import machine
from records.files import write_file, write_record

RESULTS = Path(__file__).parent / "results"
# FaceForensics++ c23 with its official split; every training epoch shows as many fakes as reals.
VIDEOS, TRAINED, TESTED, METHODS, FRAMES = 5000, 720, 140, 5, 32
GPUS, WORKERS, EPOCHS = 8, 8, 10


def growth(rounds: int = 3, out: Path = RESULTS / "growth") -> None:
    """Measure every stage, and write cpu.json and cpu.md.

    Args:
        rounds: Measurements of each stage and size, interleaved; the result is their median.
        out: Folder of the results.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for stage in STAGES:
            measured = list(stage(Path(scratch)))
            seconds = [[cost() for *_, cost in measured] for _ in range(rounds)]
            for (name, axis, size, _), own in zip(
                measured, zip(*seconds, strict=True), strict=True
            ):
                rows.append({"stage": name, "axis": axis, "size": size, "rounds": own})
                print(name, axis, size, *(f"{value:.3f}" for value in own), flush=True)
    stages = [_with_slope(*key, list(group)) for key, group in _grouped(rows)]
    result = {
        "command": "make bench-growth",
        "machine": machine(torch.device("cpu")),
        "unit": "CPU seconds",
        "rounds": rounds,
        "stages": stages,
        "estimate": estimate(stages),
    }
    out.mkdir(parents=True, exist_ok=True)
    write_record(out / "cpu.json", result)
    write_file(out / "cpu.md", markdown(result).encode())
    print(out / "cpu.md")


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the exponent of the power law through the points, by least squares of the logs."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def _grouped(rows: Iterable[dict[str, Any]]) -> Any:
    def key(row: dict[str, Any]) -> tuple[str, str]:
        return row["stage"], row["axis"]

    return itertools.groupby(sorted(rows, key=key), key)


def _with_slope(stage: str, axis: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    sizes = [row["size"] for row in rows]
    costs = [statistics.median(row["rounds"]) for row in rows]
    return {
        "stage": stage,
        "axis": axis,
        "sizes": sizes,
        "seconds": costs,
        "slope": slope(sizes, costs),
        "rounds": [row["rounds"] for row in rows],
    }


def estimate(stages: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Extrapolate to FaceForensics++ c23 with 32 frames per video, on 8 GPUs with 8 workers each.

    Extraction and disk are of `make bench-data`, the GPUs' rates of the recipe on one GPU
    (device/cuda-recipe.json); loading and evaluation are extrapolated along their slopes from the
    largest measured size.
    """
    faces, crops = (
        json.loads((RESULTS / "data" / f"{name}.json").read_text()) for name in ("faces", "crops")
    )
    whole = next(
        row
        for row in faces["projection"]
        if row["frames"] == FRAMES and row["data_set"].startswith("FaceForensics")
    )
    crops_per_epoch = 2 * TRAINED * FRAMES
    loading = _at(stages, "loading, 256 px, full", "crops", crops_per_epoch)
    parts = json.loads((RESULTS / "device" / "cuda-recipe.json").read_text())["parts"]
    trained = {
        kind: parts[part]["figures"][kind]
        for kind, part in (("teacher", "teacher"), ("student", "bf16-mixed"))
    }
    rates = {kind: figures["images_per_second"] for kind, figures in trained.items()}
    return {
        "crops": VIDEOS * FRAMES,
        "disk_gb": VIDEOS * FRAMES * crops["formats"]["Blosc LZ4, as stored"]["bytes"] / 1e9,
        "extraction_core_hours": whole["decoding_core_hours"] + whole["detection_core_hours"],
        "crops_per_epoch": crops_per_epoch,
        "loading_core_seconds_per_epoch": loading,
        "loading_seconds_per_epoch": loading / (GPUS * WORKERS),
        **{f"{kind}_images_per_second_and_gpu": rate for kind, rate in rates.items()},
        **{
            f"{kind}_gpu_minutes": EPOCHS * crops_per_epoch / (GPUS * rate) / 60
            for kind, rate in rates.items()
        },
        "exchanged_mb_per_move_of_the_rotations": 2 * trained["student"]["channels"] ** 2 * 4 / 1e6,
        "evaluated_frames": TESTED * METHODS * FRAMES,
        "evaluation_core_seconds": _at(stages, "evaluation", "frames", TESTED * METHODS * FRAMES),
    }


def _at(stages: Sequence[dict[str, Any]], stage: str, axis: str, size: float) -> float:
    row = next(row for row in stages if (row["stage"], row["axis"]) == (stage, axis))
    return float(row["seconds"][-1] * (size / row["sizes"][-1]) ** row["slope"])


def markdown(result: dict[str, Any]) -> str:
    """Return the tables of the stages, and the estimate."""
    lines = [
        "# How cost grows",
        "",
        f"`{result['command']}`, {result['machine']['cpu']}, CPU seconds",
    ]
    for stage, rows in itertools.groupby(result["stages"], lambda row: row["stage"]):
        lines += [
            "",
            f"## {stage[0].upper()}{stage[1:]}",
            "",
            "| against | sizes | CPU seconds | slope |",
        ]
        lines += ["|---|---|---|---:|"]
        for row in rows:
            sizes = ", ".join(f"{size:,}" for size in row["sizes"])
            seconds = ", ".join(f"{value:.3g}" for value in row["seconds"])
            lines.append(f"| {row['axis']} | {sizes} | {seconds} | {row['slope']:.2f} |")
    lines += ["", "## FaceForensics++ c23, 32 frames per video, 8 GPUs", "", "| | |", "|---|---:|"]
    lines += [
        f"| {name.replace('_', ' ')} | {round(value, 2):,} |"
        for name, value in result["estimate"].items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    auto_cli(growth, as_positional=False)
