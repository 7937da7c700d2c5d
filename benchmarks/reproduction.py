"""Time of `two-in-one reproduce` in two checkouts, one after the other: `make bench-reproduction`.

Each checkout runs the command of its own .venv in a new folder, from rendering to the report.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from jsonargparse import auto_cli
from jsonargparse.typing import PositiveInt

from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results" / "reproduction"
STAGE = re.compile(r"^─+ (.+?) ─+$")


def main(
    before: Path,
    after: Path = Path(),
    rounds: PositiveInt = 1,
    seeds: list[int] = [0],  # noqa: B006 -- read only
    methods: list[str] = ["student", "spatial", "naive", "two-in-one"],  # noqa: B006 -- read only
    out: Path = RESULTS,
) -> None:
    """Run the miniature's reproduction in two checkouts in turn, and compare their times.

    Args:
        before: Checkout of the earlier commit, with its .venv.
        after: Checkout of the later commit, with its .venv.
        rounds: Runs of each; the order alternates.
        seeds: Seeds of the students.
        methods: Rungs of the ladder; by default those that every commit has.
        out: Folder of the record.
    """
    runs: dict[str, list[dict[str, Any]]] = {"before": [], "after": []}
    checkouts = {"before": before.resolve(), "after": after.resolve()}
    for index in range(rounds):
        for name in sorted(checkouts, reverse=index % 2 == 1):
            runs[name].append(_reproduce(checkouts[name], seeds, methods))
            print(json.dumps({name: runs[name][-1]}, indent=2), flush=True)
    seconds = {name: sorted(run["seconds"] for run in runs[name]) for name in runs}
    medians = {name: values[len(values) // 2] for name, values in seconds.items()}
    record = {
        "methods": methods,
        "ratio": round(medians["after"] / medians["before"], 3),
        "runs": runs,
        "machine": machine(torch.device("cpu")),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "cpu.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"after / before: {record['ratio']}; record in {out / 'cpu.json'}")


def _reproduce(checkout: Path, seeds: list[int], methods: list[str]) -> dict[str, Any]:
    """Return the seconds of a reproduction by stage, and the video AUCs of its runs."""
    commit = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    script = checkout / ".venv/bin/two-in-one"
    with tempfile.TemporaryDirectory() as folder:
        argv = [str(script), "reproduce", f"--data={folder}/data", f"--out={folder}/runs"]
        argv += ["--seeds", *map(str, seeds), "--methods", *methods]
        began = time.perf_counter()
        process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        starts = [
            (match[1].replace(f"{folder}/", ""), time.perf_counter() - began)
            for line in process.stdout
            if (match := STAGE.match(line.strip()))
        ]
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            sys.exit(f"{' '.join(argv)}: exit status {os.waitstatus_to_exitcode(status)}")
        ends = [start for _, start in starts[1:]] + [seconds]
        results = sorted(Path(folder, "runs/latest").glob("*/results.json"))
        return {
            "commit": subprocess.check_output(commit, text=True).strip(),
            "seconds": round(seconds, 1),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
            "stages": {
                name: round(end - start, 1) for (name, start), end in zip(starts, ends, strict=True)
            },
            "video_auc": {path.parent.name: _video_auc(path) for path in results},
        }


def _video_auc(results: Path) -> dict[str, float]:
    metrics = json.loads(results.read_text())["metrics"]
    return {name: round(test["overall"]["video"]["auc"], 4) for name, test in metrics.items()}


if __name__ == "__main__":
    auto_cli(main, as_positional=False)
