"""Time and memory of evaluating 200,000 frame scores of 5,000 videos.

python -m benchmarks.evaluation
"""

import json
import os
import platform
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from jsonargparse import auto_cli

from evaluation.metrics.score_metrics import evaluate_scores
from records.scores import read_scores

FORGERIES = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def evaluation(
    people: int = 1000,
    frames: int = 40,
    rounds: int = 3,
    out: Path = Path("benchmarks/results/evaluation"),
) -> None:
    """Evaluate synthetic scores, from the file to every figure with its interval.

    Args:
        people: Identities; each has one real video and one fake of each method.
        frames: Frames per video.
        rounds: Repetitions; the result is their median.
        out: Folder for the result.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "scores.csv"
    synthetic_scores(people, frames).to_csv(path, index=False)
    before, seconds, cpu_seconds = _peak(), [], []
    try:
        for _ in range(rounds):
            began, cpu_began = time.perf_counter(), time.process_time()
            evaluate_scores(read_scores(path), {"frame": 0.5, "video": 0.5})
            seconds.append(time.perf_counter() - began)
            cpu_seconds.append(time.process_time() - cpu_began)
    finally:
        path.unlink()
    result = {
        "command": "make bench-evaluation",
        "frames": people * 5 * frames,
        "videos": people * 5,
        "identities": people,
        "seconds": round(float(np.median(seconds)), 2),
        "cpu_seconds": round(float(np.median(cpu_seconds)), 2),
        "rounds": [round(second, 2) for second in seconds],
        "peak_mib_beyond_imports": round(_peak() - before, 1),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }
    (out / "cpu.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def synthetic_scores(people: int, frames: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(people):
        target, source = f"{i:03d}", f"{(i + 1) % people:03d}"
        rows.append(("synthetic", "c23", "original", target, 0))
        rows += [("synthetic", "c23", method, f"{target}_{source}", 1) for method in FORGERIES]
    videos = pd.DataFrame(rows, columns=["dataset", "compression", "method", "video", "label"])
    table = videos.loc[videos.index.repeat(frames)].reset_index(drop=True)
    table["frame"] = np.tile(np.arange(frames), len(videos))
    logits = 1.5 * table["label"] + rng.normal(size=len(table))
    table["score"] = 1 / (1 + np.exp(-logits))
    return table


def _peak() -> float:
    """Return the peak memory of the process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    auto_cli(evaluation)
