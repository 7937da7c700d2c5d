"""Time, memory and size of a report: `make bench-report`.

The command runs in a process of its own, so the time includes its imports.
`make reproduce-ffpp SEEDS="0 1 2 3 4"` leaves 20 students and their teacher.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from jsonargparse import auto_cli

from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results" / "report"


def main(run: Path, crops: Path | None = None, out: Path = RESULTS) -> None:
    """Write a report, and record its time, memory and size.

    Args:
        run: Folder of a reproduction, or of runs.
        crops: Crop store for sample crops, spectra and Grad-CAM.
        out: Folder of the record.
    """
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "cli", "report", str(run), f"--out={folder}/report"]
        argv += [f"--crops={crops}"] if crops else []
        began = time.perf_counter()
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            sys.exit(os.waitstatus_to_exitcode(status))
        report = Path(folder) / "report"
        content = json.loads((report / "results.json").read_text())
        metrics = content["runs"][0]["metrics"].values()
        tests = [test["overall"]["video"] for test in metrics]
        page = report / "report.html"
        record = {
            "runs": len(content["runs"]),
            "test_videos": sum(test["real"] + test["fake"] for test in tests),
            "seconds": round(seconds, 1),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
            "peak_mb": round(usage.ru_maxrss / 1024),
            "html_bytes": page.stat().st_size,
            "machine": machine(torch.device("cpu")),
        }
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    auto_cli(main, as_positional=True)
