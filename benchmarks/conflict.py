"""How the two tasks' gradients stood to each other in finished runs: for docs/findings.md.

python -m benchmarks.conflict runs/reproduce-ffpp/latest benchmarks/results/findings
"""

from pathlib import Path

import pandas as pd
from jsonargparse import auto_cli

from evaluation.comparison.run import find_runs

COSINE = "grad/cosine"


def conflict(runs: Path, out: Path) -> None:
    """Write conflict.csv: a line for each method, medians over its seeds.

    Args:
        runs: Folder of a reproduction, or of runs.
        out: Folder for the table.
    """
    rows = []
    for run in find_runs(runs):
        curves = run.curves
        if COSINE not in curves:
            continue
        cosine = curves[COSINE].dropna()
        norms = curves[["grad/norm_spatial", "grad/norm_frequency"]].dropna()
        third = len(cosine) // 3
        rows.append(
            {
                "method": run.method,
                "seed": run.seed,
                "cosine": cosine.median(),
                "cosine_first_third": cosine.iloc[:third].median(),
                "cosine_last_third": cosine.iloc[-third:].median(),
                "conflicting_steps": (cosine < 0).mean(),
                "norm_ratio": (norms.iloc[:, 0] / norms.iloc[:, 1]).median(),
            }
        )
    table = pd.DataFrame(rows).drop(columns="seed").groupby("method", sort=False)
    summary = table.median().round(4)
    summary.insert(0, "seeds", table.size())
    out.mkdir(parents=True, exist_ok=True)
    path = out / "conflict.csv"
    summary.to_csv(path)
    print(summary.to_string())
    print(path)


if __name__ == "__main__":
    auto_cli(conflict)
