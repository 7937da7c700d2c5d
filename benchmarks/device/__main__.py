"""One part of `python -m benchmarks`, in a process of its own.

python -m benchmarks.device PART DEVICE WORK [--quick]
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.device.parts import PARTS


def main() -> None:
    name, device, work = sys.argv[1:4]
    quick = "--quick" in sys.argv
    part = next(part for part in PARTS if part.name == name)
    module = import_module(f"benchmarks.device.{part.module}")
    figures = {}
    for key, row in module.measure(name, torch.device(device), Path(work), quick=quick):
        figures[key] = row
        Path(work, f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
