"""The paper's claims C1-C3, as orderings of the ladder's runs on the in-domain test videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.comparison.differences import (
    FEWEST_IDENTITIES,
    check_same_videos,
    paired_difference,
)
from evaluation.comparison.run import Run
from evaluation.formatting import MINUS, signed, signed_interval
from evaluation.metrics.bootstrap import RESAMPLES

# "Reaches the teacher's level": at worst one hundredth of AUC below it.
LEVEL_MARGIN = 0.01
# "With much fewer parameters".
MUCH_FEWER = 10.0
SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"


@dataclass(frozen=True)
class Claim:
    """An ordering of methods: each first one's video AUC above its second one's."""

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


def judge_claims(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The `claims` block of a reproduction's results.json.

    Each ordering gives a difference of video AUC, paired over seeds. Two intervals of 95 % say how
    far it can be trusted: Student's t over the paired differences (from two seeds on), and a
    bootstrap over the identities of the test videos of the seed-averaged difference. A claim is
    supported where all intervals lie on its side, not supported where those of one ordering lie on
    the other, undecided otherwise, and with fewer than FEWEST_IDENTITIES always. C3 is a claim of
    not being worse: its bar is -LEVEL_MARGIN.

    Raises:
        InputError: Two runs were tested on different videos.
    """
    check_same_videos(runs)
    return [_judge(claim, runs) for claim in CLAIMS]


def _judge(claim: Claim, runs: Sequence[Run]) -> dict[str, Any]:
    comparisons = [_compare(runs, better, than) for better, than in claim.orderings]
    missing = dict.fromkeys(name for c in comparisons for name in c["missing"])
    if missing:
        weakest = comparisons[0]
        verdict, why = UNDECIDED, f"No comparable run of {' and '.join(missing)}."
    else:
        weakest = min(comparisons, key=lambda c: float(c["mean"]))
        verdict = _combine([_side(c, claim.margin) for c in comparisons])
        why = " ".join(_tell(c) for c in comparisons)
        if weakest["identities"] < FEWEST_IDENTITIES:
            why += f" Fewer than {FEWEST_IDENTITIES} test identities decide nothing."
        if claim.margin:
            why += f" Not worse means above {MINUS}{claim.margin:g}."
    ratio = _parameter_ratio(runs) if claim.id == "C3" else None
    if ratio is not None and not missing:
        why += f" The student has {ratio:.1f} times fewer parameters."
        if ratio < MUCH_FEWER:
            verdict = NOT_SUPPORTED
            why += f" That is less than the {MUCH_FEWER:g} times that are called much fewer."
    keys = ("differences", "seeds", "mean", "interval", "interval_over", "identities_interval")
    return {
        "id": claim.id,
        "claim": claim.text,
        "verdict": verdict,
        **{key: weakest[key] for key in keys},
        "margin": claim.margin,
        "parameter_ratio": ratio,
        "comparisons": comparisons,
        "why": why,
    }


def _compare(runs: Sequence[Run], better: str, than: str) -> dict[str, Any]:
    pairs = _pairs(runs, better, than)
    present = {run.method for run in runs}
    comparison: dict[str, Any] = {
        "better": better,
        "than": than,
        "missing": [name for name in (better, than) if name not in present],
        "seeds": [first.seed for first, _ in pairs],
        "differences": [],
        "mean": None,
        "interval": None,
        "interval_over": None,
        "identities_interval": None,
        "identities": None,
    }
    difference = paired_difference(pairs, runs[0].in_domain)
    if difference is None:
        comparison["missing"] = comparison["missing"] or [f"{better} and {than} with one seed"]
        return comparison
    comparison |= {
        "differences": difference.values,
        "mean": difference.mean,
        "interval": difference.seeds or difference.identities,
        "interval_over": "seeds" if difference.seeds else "test identities",
        "identities_interval": difference.identities,
        "identities": difference.people,
    }
    return comparison


def _pairs(runs: Sequence[Run], better: str, than: str) -> list[tuple[Run, Run]]:
    """Runs of equal seed; the one teacher of all students stands against each of them."""
    first = {run.seed: run for run in runs if run.method == better and run.video_auc is not None}
    second = {run.seed: run for run in runs if run.method == than and run.video_auc is not None}
    if than == "teacher" and len(second) == 1:
        teacher = next(iter(second.values()))
        return [(first[seed], teacher) for seed in sorted(first)]
    return [(first[seed], second[seed]) for seed in sorted(first.keys() & second.keys())]


def _side(comparison: dict[str, Any], margin: float) -> str:
    intervals = {comparison["interval"], comparison["identities_interval"]} - {None}
    if not intervals or comparison["identities"] < FEWEST_IDENTITIES:
        return UNDECIDED
    if all(low > -margin for low, _ in intervals):
        return SUPPORTED
    return NOT_SUPPORTED if all(high < -margin for _, high in intervals) else UNDECIDED


def _combine(sides: list[str]) -> str:
    if NOT_SUPPORTED in sides:
        return NOT_SUPPORTED
    return SUPPORTED if set(sides) == {SUPPORTED} else UNDECIDED


def _tell(comparison: dict[str, Any]) -> str:
    text = f"{comparison['better']} against {comparison['than']}: "
    text += f"{signed(comparison['mean'])} video AUC"
    people = f"{RESAMPLES} resamples of {comparison['identities']} test identities"
    if comparison["interval_over"] == "seeds":
        text += f", 95 % interval {signed_interval(comparison['interval'])} over "
        text += f"{len(comparison['seeds'])} seeds"
        if comparison["identities_interval"]:
            text += f" and {signed_interval(comparison['identities_interval'])} over {people}"
        return text + "."
    if comparison["identities_interval"] is None:
        return text + ", one seed and too few test identities for an interval."
    text += f", 95 % interval {signed_interval(comparison['identities_interval'])} over {people}"
    return text + "; one seed only, so nothing is known of the spread over seeds."


def _parameter_ratio(runs: Sequence[Run]) -> float | None:
    params = {run.method: run.params for run in runs}
    teacher, student = params.get("teacher"), params.get("two-in-one")
    return teacher / student if teacher and student else None
