"""Error rates, power and coverage of the verdicts, by simulation: docs/evaluation.md.

python -m benchmarks.statistics

Scores are drawn with the spreads of a committed ladder: test videos of pairs of people, of which
every run sees the same, and runs whose separation of real and fake varies with seed and teacher.
AUCs, intervals and verdicts are those of the project's own code.
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jsonargparse import auto_cli
from numpy.typing import NDArray
from scipy.stats import norm  # type: ignore[import-untyped]

from benchmarks.spreads import FAMILY, STUDENTS, read_spreads
from evaluation.comparison.estimate import Estimate, estimate
from evaluation.comparison.verdicts import LEVEL, ZONE, decide, holm, two_sided
from evaluation.metrics.auc import auc_contributions
from records.identities import IdentityUnits

Floats = NDArray[np.float64]

ROOT = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs" / "evaluation.md"
MARK = "<!-- made by python -m benchmarks.statistics -->\n"

DESIGNS = ((1, 3), (1, 5), (1, 10), (1, 20), (3, 2), (4, 3))
"""Teachers, and students per teacher."""

CHUNK = 50

PERSON, VIDEO = 0.6, 0.305
"""Shares of the variance of a video's score that all runs see: its person's, and its own."""

METHOD, RUN = 0.008, 0.087
"""Shares that all runs of a method see, and one run alone. With these, 160 people give a paired
difference the standard errors .0016 (shared by all runs) and .0057 (of one run), as the runs of
benchmarks/results/experiment/rendered have."""


def statistics(
    source: Path = ROOT / "experiment" / "rendered", draws: int = 10_000, docs: bool = True
) -> None:
    """Write verdicts.json and coverage.json, and their tables into docs/evaluation.md.

    Args:
        source: Record of an experiment: its AUC and the spread of its runs.
        draws: Simulated experiments per row.
        docs: Rewrite the tables of docs/evaluation.md.
    """
    began = time.monotonic()
    spreads = read_spreads(source)
    apart = separation(
        spreads["auc"], spreads["sd_of_paired_difference"], int(spreads["identities"])
    )
    rows = [
        verdict_row(people, teachers, seeds, apart, draws)
        for people in (60, 160)
        for teachers, seeds in DESIGNS
    ]
    common = {"draws": draws}
    covered = [
        coverage_row(kind, people, value, draws)
        for kind, sizes in (("pairs", (20, 60, 160)), ("crossed", (20, 59, 160)))
        for people in sizes
        for value in (0.86, 0.95, 0.98)
    ]
    write("verdicts", common | {"source": source.name, **spreads, "zone": ZONE, "rows": rows})
    write("coverage", common | {"rows": covered})
    text = tables(rows, covered)
    if docs:
        before, _, after = DOCS.read_text().split(MARK)
        DOCS.write_text(MARK.join([before, text, after]))
    print(text, f"{time.monotonic() - began:.0f} s")


def write(name: str, result: dict[str, Any]) -> None:
    path = ROOT / "statistics" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def test_set(people: int) -> tuple[pd.Series, NDArray[np.int64], NDArray[np.int64]]:
    """Return the videos of pairs of people, with their labels and targets: 1 real, 4 fakes each."""
    names = [f"{i:03d}" for i in range(people)]
    fakes = [f"{i:03d}_{i ^ 1:03d}" for i in range(people)]
    labels = np.repeat([0, 1], [people, 4 * people])
    return pd.Series(names + 4 * fakes), labels, np.tile(np.arange(people), 5)


def draw_differences(
    people: int, teachers: int, seeds: int, distance: tuple[float, float, float], draws: int
) -> tuple[Floats, Floats, int]:
    """Draw the paired differences of FAMILY where nothing differs.

    Args:
        distance: Mean distance of real and fake in standard deviations, and its standard
            deviations between teachers and between seeds.

    Returns:
        `[draws, family, runs]`, their covariance over identities, and the number of units.
    """
    rng = np.random.default_rng([people, teachers, seeds])
    videos, labels, target = test_set(people)
    units, runs = IdentityUnits(videos), teachers * seeds
    sources = np.where(labels == 1, target ^ 1, target)
    index = [[STUDENTS.index(name) for name in pair] for pair in FAMILY]

    def normal(*shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape, dtype=np.float32)

    def effect(share: float, *shape: int) -> NDArray[np.float32]:
        own = 0.6 * normal(*shape, people)[..., target] + 0.8 * normal(*shape, len(videos))
        return np.float32(share**0.5) * own

    values, covariances = [], []
    for _ in range(0, draws, CHUNK):
        person = normal(CHUNK, 1, 1, people)
        mixed = 0.8 * person[..., target] + 0.6 * person[..., sources]
        seen = np.where(labels == 1, mixed, person[..., target]) * PERSON**0.5
        scores = seen + VIDEO**0.5 * normal(CHUNK, 1, 1, len(videos))
        scores = scores + effect(METHOD, CHUNK, 4, 1) + effect(RUN, CHUNK, 4, runs)
        mean, between, within = distance
        apart = mean + between * np.repeat(normal(CHUNK, 4, teachers), seeds, axis=-1)
        scores += (apart + within * normal(CHUNK, 4, runs))[..., None] * labels
        aucs, parts = auc_contributions(labels, scores)
        parts = units.sums(parts, videos)
        values.append(np.stack([aucs[:, i] - aucs[:, j] for i, j in index], axis=1))
        paired = np.stack([parts[:, i] - parts[:, j] for i, j in index], axis=1)
        covariances.append(units.covariance(paired))
    return np.concatenate(values), np.concatenate(covariances), len(units.units)


def separation(auc: float, spread: float, people: int) -> tuple[float, float]:
    """Return the distance of real and fake that gives an AUC, and its SD over runs.

    `spread` is that of a paired difference over runs that are tested on so many people. What a run
    does to single videos spreads its AUC too; the rest of the spread is its distance's.
    """
    mean = np.sqrt(2) * norm.ppf(auc)
    alone, _, _ = draw_differences(people, 1, 10, (mean, 0.0, 0.0), 200)
    rest = max(spread**2 - float(alone.var(axis=-1, ddof=1).mean()), 0.0) / 2
    return mean, float(rest**0.5 * np.sqrt(2) / norm.pdf(norm.ppf(auc)))


def verdict_row(
    people: int, teachers: int, seeds: int, apart: tuple[float, float], draws: int
) -> dict[str, Any]:
    """Simulate one design: errors where nothing differs, at the zone's edge, and power."""
    mean, sd = apart
    halves = (0.0, sd) if teachers == 1 else (sd * 0.5**0.5, sd * 0.5**0.5)
    values, covariance, units = draw_differences(people, teachers, seeds, (mean, *halves), draws)
    found = estimate(values, np.repeat(range(teachers), seeds).tolist(), covariance, units - 1)

    def at(difference: float) -> Estimate:
        parts = found.runs, found.identities, found.runs_df, found.identities_df
        return Estimate(found.mean + difference, *parts)

    decided = two_sided(found) <= 0.05
    family = holm(two_sided(found)) <= 0.05
    edge, better = at(ZONE), at(0.02)
    low, high = np.moveaxis(found.interval(), -1, 0)
    never = np.ones(found.mean.shape)  # p-values, so that only the equivalence test decides
    row = {
        "error": decided.mean(),
        "family_error": family.any(axis=-1).mean(),
        "false_level": (decide(edge, never) == LEVEL).mean(),
        "level": (decide(found, never) == LEVEL).mean(),
        "power": ((two_sided(better) <= 0.05) & (better.mean > 0)).mean(),
        "power_holm": ((holm(two_sided(better)) <= 0.05) & (better.mean > 0)).mean(),
        "half_width": np.median(high - low) / 2,
    }
    design = {"identities": people, "teachers": teachers, "runs": teachers * seeds}
    return design | {name: round(float(value), 4) for name, value in row.items()}


def coverage_row(kind: str, people: int, auc: float, draws: int) -> dict[str, Any]:
    """Simulate the 95 % interval of one run's AUC over pairs of people, or over crossed people."""
    rng = np.random.default_rng([people, round(100 * auc)])
    videos, labels, target = test_set(people)
    sources = np.where(labels == 1, target ^ 1, target)
    if kind == "crossed":  # as in Celeb-DF: each person's face is in videos of four others
        steps = np.repeat([0, 1, 3, 7, 12], people)
        sources = (target + steps) % people
        names = zip(target, sources, labels, strict=True)
        videos = pd.Series([f"id{t}_id{s}_0000" if fake else f"id{t}_0000" for t, s, fake in names])
    units = IdentityUnits(videos)
    person, own = rng.normal(size=(draws, people)), rng.normal(size=(draws, len(videos)))
    mixed = np.where(
        labels == 1, 0.8 * person[:, target] + 0.6 * person[:, sources], person[:, target]
    )
    scores = np.sqrt(0.5) * (mixed + own) + np.sqrt(2) * norm.ppf(auc) * labels
    aucs, parts = auc_contributions(labels, scores)
    variance = units.covariance(units.sums(parts, videos)[:, None])
    found = estimate(aucs[:, None], [0], variance, units.df)
    low, high = found.rate_interval().T
    covered = round(float(((low <= auc) & (auc <= high)).mean()), 4)
    return {"people": kind, "identities": people, "auc": auc, "coverage": covered}


def tables(rows: list[dict[str, Any]], covered: list[dict[str, Any]]) -> str:
    """Return the tables of docs/evaluation.md."""
    heads = ("Identities", "Runs", "Error of one verdict", "Error of the family, Holm",
             f"False level at ±{ZONE}", "Level where equal", "Power at .02", "after Holm",
             "Half-width")  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|---:|---|" + "---:|" * (len(heads) - 2)]
    shares = ("error", "family_error", "false_level", "level", "power", "power_holm")
    for row in rows:
        of = f"{row['teachers']} x {row['runs'] // row['teachers']}"
        runs = str(row["runs"]) if row["teachers"] == 1 else f"{row['runs']} ({of})"
        cells = [str(row["identities"]), runs, *(f"{100 * row[name]:.1f} %" for name in shares)]
        lines.append("| " + " | ".join([*cells, f"{row['half_width']:.3f}"]) + " |")
    lines += [
        "",
        "| Coverage of 95 % | Identities | AUC .86 | AUC .95 | AUC .98 |",
        "|---|---:|---:|---:|---:|",
    ]
    for start in range(0, len(covered), 3):
        own = covered[start : start + 3]
        cells = [own[0]["people"], str(own[0]["identities"])]
        lines.append(
            "| " + " | ".join([*cells, *(f"{100 * r['coverage']:.1f} %" for r in own)]) + " |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    auto_cli(statistics)
