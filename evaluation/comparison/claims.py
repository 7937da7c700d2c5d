"""The paper's claims C1-C3, as orderings of the ladder's runs on the in-domain test videos."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.comparison.differences import (
    FEWEST_IDENTITIES,
    Difference,
    check_same_videos,
    pair_runs,
    paired_difference,
)
from evaluation.comparison.run import Run
from evaluation.formatting import MINUS, signed, signed_interval
from records.protocol import RESAMPLES
from records.results import ClaimResult, ComparisonResult, Paired

LEVEL_MARGIN = 0.01
"""Difference of video AUC down to which a student reaches its teacher's level."""

MUCH_FEWER = 10.0
"""Ratio of parameters from which the student has "much fewer"."""

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"
_VERDICTS = {1: SUPPORTED, -1: NOT_SUPPORTED, 0: UNDECIDED}


@dataclass(frozen=True)
class Claim:
    """An ordering of methods: the video AUC of each first one is above that of the second."""

    id: str
    text: str
    orderings: tuple[tuple[str, str], ...]
    margin: float = 0.0


CLAIMS = (
    Claim(
        "C1",
        "Distilling both branches naively is worse than distilling the spatial branch only.",
        (("spatial", "naive"),),
    ),
    Claim(
        "C2",
        "Two-in-one (dedicated projectors and gradient homogenization) is better than either.",
        (("two-in-one", "spatial"), ("two-in-one", "naive")),
    ),
    Claim(
        "C3",
        "Two-in-one's single-branch student reaches the dual-branch teacher's level, or better, "
        "with much fewer parameters.",
        (("two-in-one", "teacher"),),
        margin=LEVEL_MARGIN,
    ),
)


def judge_claims(runs: Sequence[Run]) -> list[ClaimResult]:
    """Judge the claims, for the `claims` block of a reproduction's results.json.

    Each ordering is a `Difference` with its intervals. A claim is supported if all intervals of all
    orderings lie above the bar, not supported if all intervals of one ordering lie below it, and
    undecided otherwise, or with fewer than FEWEST_IDENTITIES. The bar is 0, or minus the margin.

    Raises:
        InputError: Two runs were tested on different videos.
    """
    check_same_videos(runs, runs[0].in_domain)
    return [_judge(claim, runs) for claim in CLAIMS]


def _judge(claim: Claim, runs: Sequence[Run]) -> ClaimResult:
    compared = [_compare(runs, better, than) for better, than in claim.orderings]
    comparisons = [comparison for comparison, _ in compared]
    missing = dict.fromkeys(name for c in comparisons for name in c.missing)
    ratio = _parameter_ratio(runs) if claim.id == "C3" else None
    if missing:
        weakest = comparisons[0]
        verdict, why = UNDECIDED, f"No comparable run of {' and '.join(missing)}."
    else:
        weakest = min(comparisons, key=lambda c: c.mean or 0.0)
        sides = [difference.side(-claim.margin) for _, difference in compared if difference]
        verdict = _VERDICTS[min(sides)]
        why = " ".join(_describe(c) for c in comparisons)
        if (weakest.identities or 0) < FEWEST_IDENTITIES:
            why += f" Fewer than {FEWEST_IDENTITIES} test identities decide nothing."
        if claim.margin:
            why += f" Not worse means above {MINUS}{claim.margin:g}."
        if ratio is not None:
            why += f" The student has {ratio:.1f} times fewer parameters."
        if ratio is not None and ratio < MUCH_FEWER:
            verdict = NOT_SUPPORTED
            why += f" That is below the {MUCH_FEWER:g} times that count as much fewer."
    return ClaimResult(
        **{name: getattr(weakest, name) for name in Paired.__struct_fields__},
        id=claim.id,
        claim=claim.text,
        verdict=verdict,
        margin=claim.margin,
        parameter_ratio=ratio,
        comparisons=comparisons,
        why=why,
    )


def _compare(
    runs: Sequence[Run], better: str, than: str
) -> tuple[ComparisonResult, Difference | None]:
    pairs = pair_runs([run for run in runs if run.video_auc is not None], better, than)
    methods = {run.method for run in runs}
    missing = [name for name in (better, than) if name not in methods]
    seeds = [first.seed for first, _ in pairs]
    difference = paired_difference(pairs, runs[0].in_domain)
    if difference is None:
        missing = missing or [f"{better} and {than} with a common seed"]
        return ComparisonResult(
            better=better, than=than, missing=missing, seeds=seeds, differences=[]
        ), None
    return ComparisonResult(
        better=better,
        than=than,
        missing=missing,
        seeds=seeds,
        differences=difference.values,
        mean=difference.mean,
        interval=difference.seeds or difference.identities,
        interval_over="seeds" if difference.seeds else "test identities",
        identities_interval=difference.identities,
        identities=difference.people,
    ), difference


def _describe(comparison: ComparisonResult) -> str:
    text = f"{comparison.better} against {comparison.than}: {signed(comparison.mean)} video AUC"
    over_people = (
        f"{signed_interval(comparison.identities_interval)} over {RESAMPLES} resamples of "
        f"{comparison.identities} test identities"
    )
    if comparison.interval_over == "seeds":
        text += f", 95 % interval {signed_interval(comparison.interval)} over "
        text += f"{len(comparison.seeds)} seeds"
        return text + (f" and {over_people}." if comparison.identities_interval else ".")
    if comparison.identities_interval is None:
        return text + ", one seed and too few test identities for an interval."
    return text + (
        f", 95 % interval {over_people}; with one seed the spread over seeds is unknown."
    )


def _parameter_ratio(runs: Sequence[Run]) -> float | None:
    params = {run.method: run.params for run in runs}
    teacher, student = params.get("teacher"), params.get("two-in-one")
    return teacher / student if teacher and student else None
