"""All benchmarks that have a meaning on a GPU, in one command of at most nine minutes.

    python -m benchmarks --device cuda
    python -m benchmarks --device cpu --quick

The parts run one after another, the most important first, each in a process of its own with a limit
of its own. A part that fails or runs out of time is one line in the file and on the terminal, and
the next one starts. It needs torch and the standard library; what each part needs besides is in
docs/scale.md.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmarks.device.parts import PACKAGES, PARTS, Part
from benchmarks.machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "device"


def main() -> None:
    options = _parser().parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit(
            "--device cuda: torch sees no GPU here: use --device cpu --quick to try the command"
        )
    parts = [
        part
        for part in PARTS
        if device.type in part.devices and part.name in (options.parts or [part.name])
    ]
    missing = [name for name, module in PACKAGES.items() if find_spec(module) is None]
    if missing:
        print(f"missing packages (see docs/scale.md): {', '.join(missing)}", flush=True)
    path = options.out or RESULTS / f"{device.type}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {
        "command": f"python -m benchmarks {' '.join(sys.argv[1:])}",
        "quick": options.quick,
        "machine": machine(device),
        "missing_packages": missing,
        "parts": {},
    }
    if options.quick:
        result["note"] = "quick: proves that the command runs; its figures measure nothing"
    with tempfile.TemporaryDirectory() as work:
        for part in parts:
            result["parts"][part.name] = run_part(part, options, Path(work), deadline)
            path.write_text(json.dumps(result, indent=2) + "\n")
    print(path)
    failed = [name for name, entry in result["parts"].items() if "error" in entry]
    print(f"{len(parts) - len(failed)} of {len(parts)} parts complete")
    sys.exit(len(failed) == len(parts))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    quick = "batch 4 and three steps, to prove the command"
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--minutes", type=float, default=9.0, help="limit of the whole command")
    names = ", ".join(part.name for part in PARTS)
    parser.add_argument("--parts", nargs="+", choices=[p.name for p in PARTS], help=names)
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/device/DEVICE.json")
    return parser


def run_part(
    part: Part, options: argparse.Namespace, work: Path, deadline: float
) -> dict[str, Any]:
    """Run a part in a process group of its own; return its figures, and why it is not complete."""
    began = time.monotonic()
    limit = min(part.seconds, deadline - began)
    print(f"{part.name} ... ", end="", flush=True)
    output, log = work / f"{part.name}.json", work / f"{part.name}.log"
    error = None
    if limit < 5:
        error = "no time left"
    else:
        argv = [sys.executable, "-m", "benchmarks.device", part.name, options.device, str(work)]
        with log.open("w") as file:
            process = subprocess.Popen(
                [*argv, "--quick"] if options.quick else argv,
                cwd=ROOT, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
            try:
                if process.wait(limit):
                    error = _reason(log)
            except subprocess.TimeoutExpired:
                error = f"out of time after {limit:.0f} s"
            finally:
                _end(process)
    entry = {"seconds": round(time.monotonic() - began, 1)}
    # A part writes after each figure, so that an incomplete one leaves what it has measured.
    entry |= {"figures": json.loads(output.read_text()) if output.is_file() else {}}
    print(error or "done", f"({entry['seconds']} s)", flush=True)
    return entry if error is None else {"error": error, **entry}


def _reason(log: Path) -> str:
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "failed without a message"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the part's processes, its loader's workers included."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


if __name__ == "__main__":
    main()
