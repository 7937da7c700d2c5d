"""The answer that the report begins with."""

import math
from collections.abc import Sequence
from typing import Any

from evaluation import formatting
from evaluation.claims import SUPPORTED, UNDECIDED
from evaluation.ladder import Ladder
from evaluation.measured import Measured
from evaluation.results import Run


def glance(runs: Sequence[Run], ladder: Ladder, measured: Measured) -> str | None:
    """What the student gains, loses and costs beside its teacher, in one sentence."""
    by_method = {rung.method: rung for rung in ladder.rungs}
    teacher, student = by_method.get("teacher"), by_method.get("two-in-one")
    if not teacher or not student or teacher.video_auc is None or student.video_auc is None:
        return None
    parts = [
        f"The two-in-one student reaches a video AUC of {formatting.figure(student.video_auc)} "
        f"where its teacher has {formatting.figure(teacher.video_auc)}"
    ]
    alone = by_method.get("student")
    if alone and alone.video_auc is not None:
        parts[0] += f" and the same network trained alone {formatting.figure(alone.video_auc)}"
    if student.ratio:
        parts.append(f"with {student.ratio:.1f} times fewer parameters")
    cost = measured.cost_of(next(run.name for run in runs if run.method == student.method))
    for form, timed in (cost["forms"] if cost else {}).items():
        if form.endswith("onnx") and (times := timed["latency"]["times_better_than_teacher"]):
            parts.append(f"and {times:.1f} times faster ({form_name(form)}, crop by crop)")
    return f"{', '.join(parts[:2])} {' '.join(parts[2:])}".rstrip() + "."


def summary(claims: Sequence[dict[str, Any]]) -> str:
    """The verdicts in one sentence."""
    by_verdict: dict[str, list[str]] = {}
    for claim in claims:
        by_verdict.setdefault(claim["verdict"], []).append(claim["id"])
    if set(by_verdict) == {UNDECIDED}:
        return "On this data none of the claims is decided."
    if set(by_verdict) == {SUPPORTED}:
        return "On this data all the claims are supported."
    parts = [
        f"{' and '.join(ids)} {'is' if len(ids) == 1 else 'are'} {verdict}"
        for verdict, ids in by_verdict.items()
    ]
    return f"On this data {', '.join(parts)}."


def claim_span(claims: Sequence[dict[str, Any]]) -> float:
    """Half width of the claims' common scale of differences."""
    bounds = [c["interval"] for claim in claims for c in claim["comparisons"] if c["interval"]]
    return max([0.02, *(abs(float(end)) for ends in bounds for end in ends)])


def auc_floor(ladder: Ladder) -> float:
    """Lower end of the table's scale of AUC: the tenth below the lowest interval."""
    lows = [rung.interval[0] for rung in ladder.rungs if rung.interval]
    return min(0.9, *(math.floor(low * 10) / 10 for low in lows)) if lows else 0.5


def form_name(form: str) -> str:
    """A form of the profile, such as "cpu onnx", as a heading."""
    device, _, kind = form.partition(" ")
    return f"{device.upper()}, {'exported' if kind == 'onnx' else kind}"
