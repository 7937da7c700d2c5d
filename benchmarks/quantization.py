"""Size and speed of students in 8 bits against float.

    python -m benchmarks.quantization

The weights are random and the images are noise, which changes neither size nor speed.
"""

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.machine import machine
from export.quantization import write_int8
from inference.card import Quantized
from lightning_modules.export import export_onnx
from lightning_modules.networks.backbone import BranchSpec, count_parameters
from lightning_modules.networks.student import StudentNetwork

RESULTS = Path(__file__).parent / "results" / "deploy" / "quantization.json"
STUDENTS = ("mobilenetv3_small_075", "mobilenetv2_100", "efficientnet_b0", "resnet18")
SIZE = 112


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Export a student and quantize all of its layers."""
    network = StudentNetwork(BranchSpec(name), SIZE).eval()
    path = folder / f"{name}.onnx"
    export_onnx(SimpleNamespace(network=network, image_size=SIZE), path)  # type: ignore[arg-type]
    images = np.random.default_rng(0).integers(0, 256, (8, 3, SIZE, SIZE), dtype=np.uint8)
    videos = {"video": ["000", "000_001", "002", "002_003"], "label": [0, 1, 0, 1]}
    # The same scores for both: the gate passes without a layer in float.
    same = pd.DataFrame({**videos, "score": [0.1, 0.9, 0.2, 0.8]})
    made: Quantized = write_int8(
        path, path.with_suffix(".int8.onnx"), images, lambda _: same, lambda _: same
    )
    return {
        "student": name,
        "parameters": count_parameters(network),
        "float_bytes": path.stat().st_size,
        "size_ratio": round(made.size_ratio, 3),
        "times_faster": round(made.times_faster, 2),
    }


def main() -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        students = [measure(name, Path(folder)) for name in STUDENTS]
    record = {
        "command": "python -m benchmarks.quantization",
        "machine": machine(torch.device("cpu")),
        "note": "one crop of 112 px; times_faster is the median of interleaved ratios",
        "students": students,
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(students, indent=2))


if __name__ == "__main__":
    main()
