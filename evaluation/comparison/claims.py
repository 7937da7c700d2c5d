"""The paper's claims C1-C3, as orderings of the ladder's runs on the in-domain test videos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from evaluation.comparison.differences import (
    Difference,
    check_same_videos,
    pair_runs,
    paired_difference,
)
from evaluation.comparison.run import TEACHER, Run
from evaluation.comparison.verdicts import (
    FEWEST_IDENTITIES,
    FEWEST_RUNS,
    LEVEL_CONFIDENCE,
    NO_VERDICT,
    REFUTED,
    UNDECIDED,
    ZONE,
    combine,
    decide,
    holm,
    runs_that_decide,
    two_sided,
)
from evaluation.formatting import MINUS, signed, signed_interval
from records.protocol import CONFIDENCE
from records.results import ClaimResult, ComparisonResult

MUCH_FEWER = 10.0
"""Ratio of parameters from which the student has "much fewer"."""

READINGS = {
    "naive": "one output for both targets",
    "shared-trunk": "one trunk and an output for each target",
}
"""Rungs that "naively" can mean: C1 and C2 are judged for both."""


@dataclass(frozen=True)
class Claim:
    """An ordering of methods: the video AUC of each first one is above that of the second."""

    id: str
    text: str
    orderings: tuple[tuple[str, str], ...]
    reading: str | None = None
    bar: float = 0.0


def _claims() -> list[Claim]:
    worse = "Distilling both branches naively is worse than distilling the spatial branch only."
    best = "Two-in-one (dedicated projectors and gradient homogenization) is better than either."
    level = (
        "Two-in-one's single-branch student reaches the dual-branch teacher's level, or better, "
        "with much fewer parameters."
    )
    ours = "two-in-one"
    return [
        *(Claim("C1", worse, (("spatial", naive),), naive) for naive in READINGS),
        *(Claim("C2", best, ((ours, "spatial"), (ours, naive)), naive) for naive in READINGS),
        Claim("C3", level, ((ours, TEACHER),), bar=-ZONE),
    ]


CLAIMS = _claims()

STUDENTS = sorted({name for c in CLAIMS for pair in c.orderings for name in pair} - {TEACHER})
"""Rungs that the claims compare."""


def judge_claims(runs: Sequence[Run]) -> list[ClaimResult]:
    """Judge every reading of the claims, for the `claims` block of a reproduction's results.json.

    A claim is supported if all of its orderings are, refuted if one is; see `verdicts.combine`. The
    family that Holm corrects for is all orderings of all claims.

    Raises:
        InputError: Two runs were tested on different videos.
    """
    check_same_videos(runs, runs[0].in_domain)
    bars = {ordering: claim.bar for claim in CLAIMS for ordering in claim.orderings}
    found = {ordering: _difference(runs, *ordering) for ordering in bars}
    compared = {o: _compare(runs, *o, found[o], bar) for o, bar in bars.items()}
    family = {o: d.estimate for o, d in found.items() if d and not compared[o].missing}
    p_values = np.array([two_sided(one, bars[o]) for o, one in family.items()])
    for ordering, p, adjusted in zip(family, p_values, holm(p_values), strict=True):
        compared[ordering] = replace(
            compared[ordering],
            verdict=str(decide(family[ordering], adjusted, bars[ordering])),
            p_value=float(p),
            p_holm=float(adjusted),
        )
    params = {run.method: run.params for run in runs}
    return [_judge(claim, [compared[o] for o in claim.orderings], params) for claim in CLAIMS]


def _difference(runs: Sequence[Run], better: str, than: str) -> Difference | None:
    pairs = pair_runs([run for run in runs if run.video_auc is not None], better, than)
    return paired_difference(pairs, runs[0].in_domain)


def _compare(
    runs: Sequence[Run], better: str, than: str, difference: Difference | None, bar: float
) -> ComparisonResult:
    """Describe a difference, and what a verdict on it lacks."""
    methods = {run.method for run in runs}
    missing = [f"a run of {name}" for name in (better, than) if name not in methods]
    if difference is None:
        missing = missing or [f"a run of {better} and of {than} with the same teacher and seed"]
        return ComparisonResult(better=better, than=than, verdict=NO_VERDICT, missing=missing)
    found = difference.estimate
    if difference.runs < FEWEST_RUNS:
        kind = "teachers" if TEACHER in (better, than) else "runs"
        missing = [f"{FEWEST_RUNS} independent {kind} ({difference.runs} here)"]
    if difference.people < FEWEST_IDENTITIES:
        missing.append(f"{FEWEST_IDENTITIES} test identities ({difference.people} here)")
    return ComparisonResult(
        better=better,
        than=than,
        verdict=NO_VERDICT,
        missing=missing,
        differences=difference.values,
        seeds=difference.seeds,
        runs=difference.runs,
        teachers=difference.teachers,
        identities=difference.people,
        mean=difference.mean,
        interval=difference.interval(CONFIDENCE),
        level_interval=difference.interval(LEVEL_CONFIDENCE),
        se_runs=None if np.isnan(found.runs) else float(np.sqrt(found.runs)),
        se_identities=float(np.sqrt(found.identities)),
        runs_needed=runs_that_decide(found, len(difference.values), bar),
    )


def _judge(
    claim: Claim, comparisons: list[ComparisonResult], params: dict[str, int | None]
) -> ClaimResult:
    verdict = combine([comparison.verdict for comparison in comparisons])
    why = " ".join(_describe(comparison) for comparison in comparisons)
    teacher, student = params.get(TEACHER), params.get("two-in-one")
    ratio = teacher / student if claim.bar and teacher and student else None
    if claim.bar:
        why += f" Not worse means above {MINUS}{ZONE:g}."
    if ratio is not None:
        why += f" The student has {ratio:.1f} times fewer parameters."
        if ratio < MUCH_FEWER:
            verdict = REFUTED
            why += f" That is below the {MUCH_FEWER:g} times that count as much fewer."
    teachers = max(comparison.teachers for comparison in comparisons)
    return ClaimResult(
        id=claim.id,
        claim=claim.text,
        reading=claim.reading,
        verdict=verdict,
        scope={0: None, 1: "for this teacher"}.get(teachers, f"over {teachers} teachers"),
        zone=ZONE,
        parameter_ratio=ratio,
        comparisons=comparisons,
        why=why,
    )


def _describe(comparison: ComparisonResult) -> str:
    names = f"{comparison.better} against {comparison.than}"
    lacking = f"A verdict needs {' and '.join(comparison.missing)}." if comparison.missing else ""
    if comparison.mean is None:
        return f"{names}: {lacking}"
    text = (
        f"{names}: {signed(comparison.mean)} video AUC, 95 % interval "
        f"{signed_interval(comparison.interval)} over {_counted(comparison)}."
    )
    if comparison.p_holm is not None:
        text += f" p = {comparison.p_holm:.3f} after Holm."
    if comparison.missing or comparison.verdict == UNDECIDED:
        needed = comparison.runs_needed
        if needed and not comparison.missing and needed <= len(comparison.differences):
            return f"{text} Without the correction it would be decided."
        decides = f"{needed} runs would decide" if needed else "more runs alone would not decide"
        stays = "mean and spread stay"
        if comparison.se_runs is None:
            stays = "the mean stays and the spread is that of the committed ladder"
        text += f" {lacking}{' ' if lacking else ''}If {stays}, {decides}."
    return text


def _counted(comparison: ComparisonResult) -> str:
    people = f"{comparison.identities} test identities"
    if comparison.se_runs is None:
        return f"{people} only, as there is one run"
    return f"{len(comparison.differences)} runs and {people}"
