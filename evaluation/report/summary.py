"""The answer that the report begins with."""

import math
from collections.abc import Sequence
from typing import Any

from evaluation import formatting
from evaluation.comparison.claims import CLAIMS, SUPPORTED, UNDECIDED
from evaluation.comparison.ladder import Ladder, Rung
from evaluation.comparison.run import Run
from records.measurements import Measured
from records.results import ClaimResult

_CLAIMED = {"student", *(name for claim in CLAIMS for pair in claim.orderings for name in pair)}


def glance(runs: Sequence[Run], ladder: Ladder, measured: Measured) -> str | None:
    """What the student gains, loses and costs beside its teacher, in one sentence."""
    by_method = {rung.method: rung for rung in ladder.rungs}
    teacher, student = by_method.get("teacher"), by_method.get("two-in-one")
    if not teacher or not student or teacher.video_auc is None or student.video_auc is None:
        return None
    told = (
        f"The two-in-one student reaches a video AUC of {formatting.figure(student.video_auc)} "
        f"where its teacher has {formatting.figure(teacher.video_auc)}"
    )
    alone = by_method.get("student")
    if alone and alone.video_auc is not None:
        told += f" and the same network trained alone {formatting.figure(alone.video_auc)}"
    gains = [f"has {student.ratio:.1f} times fewer parameters"] if student.ratio else []
    latency = _latency(runs, student.method, measured, form := answer_form(measured))
    if form and latency and latency["times_better_than_teacher"]:
        times = latency["times_better_than_teacher"]
        gains.append(f"is {times:.1f} times faster ({form_name(form)}, crop by crop)")
    return f"{told}. It {' and '.join(gains)}." if gains else f"{told}."


def answer_form(measured: Measured) -> str | None:
    """The form that the answer gives latencies of: exported on the CPU, or the first there is."""
    forms = list(measured.profile["networks"][0]["forms"]) if measured.profile else []
    return "cpu onnx" if "cpu onnx" in forms else next(iter(forms), None)


def headline(
    runs: Sequence[Run], ladder: Ladder, measured: Measured
) -> list[tuple[Rung, dict[str, Any] | None]]:
    """Lines of the answer's table with their latencies: what the claims are about, and the best.

    The best is of the students. Where no method of a claim is there, the first lines of the ladder.
    """
    shown = _CLAIMED & {rung.method for rung in ladder.rungs}
    students = [r for r in ladder.rungs if r.method != "teacher" and r.video_auc is not None]
    if shown and students:
        shown.add(max(students, key=lambda rung: rung.video_auc or 0.0).method)
    rungs = [rung for rung in ladder.rungs if rung.method in shown] or ladder.rungs[:5]
    form = answer_form(measured)
    return [(rung, _latency(runs, rung.method, measured, form)) for rung in rungs]


def _latency(
    runs: Sequence[Run], method: str, measured: Measured, form: str | None
) -> dict[str, Any] | None:
    cost = measured.cost_of(next(run.name for run in runs if run.method == method))
    timed: dict[str, Any] | None = cost["forms"].get(form, {}).get("latency") if cost else None
    return timed


def summary(claims: Sequence[ClaimResult]) -> str:
    """The verdicts in one sentence."""
    by_verdict: dict[str, list[str]] = {}
    for claim in claims:
        by_verdict.setdefault(claim.verdict, []).append(claim.id)
    if set(by_verdict) == {UNDECIDED}:
        return "None of the paper's three claims is decided on this data."
    if set(by_verdict) == {SUPPORTED}:
        return "All of the paper's three claims are supported on this data."
    parts = [
        f"{' and '.join(ids)} {'is' if len(ids) == 1 else 'are'} {verdict}"
        for verdict, ids in by_verdict.items()
    ]
    return f"Of the paper's three claims {', '.join(parts)} on this data."


def claim_span(claims: Sequence[ClaimResult]) -> float:
    """Half width of the claims' common scale of differences."""
    bounds = [c.interval for claim in claims for c in claim.comparisons if c.interval]
    return max([0.02, *(abs(float(end)) for ends in bounds for end in ends)])


def auc_floor(ladder: Ladder) -> float:
    """Lower end of the table's scale of AUC: the tenth below the lowest interval."""
    lows = [rung.interval[0] for rung in ladder.rungs if rung.interval]
    return min(0.9, *(math.floor(low * 10) / 10 for low in lows)) if lows else 0.5


def form_name(form: str) -> str:
    """A form of the profile, such as "cpu onnx", as a heading."""
    device, _, kind = form.partition(" ")
    return f"{device.upper()}, {'exported' if kind == 'onnx' else kind}"
