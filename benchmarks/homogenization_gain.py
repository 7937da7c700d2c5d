"""RotoGrad compared with the plain sum under every condition of the sweeps: docs/findings.md.

python -m benchmarks.homogenization_gain benchmarks/results/findings
"""

from pathlib import Path

import pandas as pd
import yaml
from jsonargparse import auto_cli

from evaluation.comparison.estimate import estimate

HOMOGENIZATION = "model.init_args.homogenization"
SEED = "seed_everything"


def homogenization_gain(folder: Path) -> None:
    """Write gain.csv: one row per condition, RotoGrad minus the sum, paired by seed.

    Args:
        folder: Folder with the sweeps' tables NAME-runs.csv; gain.csv is written to it.
    """
    rows = []
    for file in sorted(folder.glob("*-runs.csv")):
        runs = pd.read_csv(file)
        parameters = runs.columns[1 : runs.columns.get_loc("metric")]
        runs[parameters] = runs[parameters].astype(object).fillna("null")  # groupby drops NaN
        weighting = runs[HOMOGENIZATION].map(lambda text: yaml.safe_load(text)["weighting"])
        varied = [
            name
            for name in parameters
            if name not in (HOMOGENIZATION, SEED) and runs[name].nunique() > 1
        ]
        for values, group in runs.assign(weighting=weighting).groupby(varied):
            names = (name.rpartition(".")[2] for name in varied)
            condition = ", ".join(f"{n}={v}" for n, v in zip(names, values, strict=True))
            sweep = file.name.removesuffix("-runs.csv")
            rows.append({"sweep": sweep, "condition": condition, **_gain(group)})
    table = pd.DataFrame(rows).round(4)
    path = folder / "gain.csv"
    table.to_csv(path, index=False)
    print(table.to_string(index=False))
    print(path)


def _gain(runs: pd.DataFrame) -> dict[str, float]:
    auc = runs.pivot(index=SEED, columns="weighting", values="metric")
    differences = auc["rotograd"] - auc["sum"]
    low, high = estimate(differences, [0] * len(differences)).interval()
    measured = runs.groupby("weighting")[["metric", "cosine", "conflict"]].median()
    return {
        "seeds": len(differences),
        "difference": differences.mean(),
        "low": low,
        "high": high,
        **{
            f"{name}_{weighting}": measured.loc[weighting, name]
            for name in measured.columns
            for weighting in ("sum", "rotograd")
        },
    }


if __name__ == "__main__":
    auto_cli(homogenization_gain)
