"""The summary at the head of a report: one sentence, a short table and the claims' scale."""

import math
from collections.abc import Sequence

from evaluation.comparison.claims import CLAIMS
from evaluation.comparison.ladder import Ladder, Rung
from evaluation.comparison.run import TEACHER
from evaluation.comparison.verdicts import NO_VERDICT, ZONE
from evaluation.formatting import figure
from records.blocks import ExperimentClaims
from records.measurements import Measurements, Timing
from records.results import ClaimResult, ComparisonResult

QUESTION = (
    "Does distilling two branches naively hurt, and do dedicated projectors with gradient "
    "homogenization mend it?"
)

_CLAIMED = {"student", *(name for claim in CLAIMS for pair in claim.orderings for name in pair)}


def key_figures(ladder: Ladder, measured: Measurements) -> str | None:
    """Compare the two-in-one student with its teacher, in AUC and cost, in two sentences."""
    rungs = {rung.method: rung for rung in ladder.rungs if rung.video_auc is not None}
    teacher, student = rungs.get(TEACHER), rungs.get("two-in-one")
    if not teacher or not student:
        return None
    text = (
        f"The two-in-one student reaches a video AUC of {figure(student.video_auc)}; "
        f"its teacher reaches {figure(teacher.video_auc)}"
    )
    if "student" in rungs:
        alone = figure(rungs["student"].video_auc)
        text += f" and the same network trained alone {alone}"
    gains = [f"has {student.ratio:.1f} times fewer parameters"] if student.ratio else []
    form, latency = summary_form(measured), _latency(student.method, measured)
    if form and latency and (times := latency.times_better_than_teacher):
        gains.append(f"is {times:.1f} times faster ({form_name(form)}, one crop at a time)")
    return f"{text}. It {' and '.join(gains)}." if gains else f"{text}."


def summary_form(measured: Measurements) -> str | None:
    """Return the form whose latencies the summary shows: ONNX on the CPU, or the first one."""
    forms = measured.profile.forms if measured.profile else []
    return "cpu onnx" if "cpu onnx" in forms else next(iter(forms), None)


def summary_rungs(ladder: Ladder, measured: Measurements) -> list[tuple[Rung, Timing | None]]:
    """Return the rows of the summary's table, with their latencies.

    The rows are the methods that the claims compare and the best student of those with the most
    runs, or else the first five.
    """
    shown = _CLAIMED & {rung.method for rung in ladder.rungs}
    students = [r for r in ladder.rungs if r.method != TEACHER and r.video_auc is not None]
    if shown and students:
        most = max(len(rung.seeds) for rung in students)
        whole = [rung for rung in students if len(rung.seeds) == most]
        shown.add(max(whole, key=lambda rung: rung.video_auc or 0.0).method)
    rungs = [rung for rung in ladder.rungs if rung.method in shown] or ladder.rungs[:5]
    return [(rung, _latency(rung.method, measured)) for rung in rungs]


def _latency(method: str, measured: Measurements) -> Timing | None:
    form, networks = summary_form(measured), measured.profile.networks if measured.profile else []
    timings = [n.forms[form] for n in networks if method in n.methods and form in n.forms]
    return timings[0].latency if timings else None


def verdicts(claims: Sequence[ClaimResult]) -> str:
    """Summarize the verdicts on the claims in one sentence, both readings of each."""
    decided = [claim for claim in claims if claim.verdict != NO_VERDICT]
    if not decided:
        return "There is no verdict on the paper's three claims from these runs."
    parts = []
    for claim_id, readings in claim_groups(claims):
        found = {reading.verdict: reading.reading for reading in readings}
        named = found if len(found) == 1 else (f"{v} for {name}" for v, name in found.items())
        parts.append(f"{claim_id}: {' and '.join(named)}")
    scope = next((f", {claim.scope}" for claim in decided if claim.scope), "")
    return f"The paper's claims on this data{scope}: {'; '.join(parts)}."


def claim_groups(claims: Sequence[ClaimResult]) -> list[tuple[str, list[ClaimResult]]]:
    """Group the readings of each claim."""
    ids = dict.fromkeys(claim.id for claim in claims)
    return [(name, [claim for claim in claims if claim.id == name]) for name in ids]


def claim_comparisons(readings: Sequence[ClaimResult]) -> list[ComparisonResult]:
    """Return the differences that the readings of a claim compare, each once."""
    named = {(c.better, c.than): c for claim in readings for c in claim.comparisons}
    return [comparison for comparison in named.values() if comparison.mean is not None]


def found_for(committed: ExperimentClaims | None, claim_id: str) -> list[ClaimResult]:
    """Return what the committed experiment found on a claim."""
    return [claim for claim in committed.claims if claim.id == claim_id] if committed else []


def claim_span(claims: Sequence[ClaimResult]) -> float:
    """Return the half width of the scale that all claims' differences are drawn in.

    It holds every mean; intervals may end beyond it.
    """
    compared = [c for claim in claims for c in claim.comparisons]
    means = [abs(c.mean) for c in compared if c.mean is not None]
    ends = [abs(end) for c in compared for end in c.interval or ()]
    return max([min(0.12, max([1.5 * ZONE, *ends])), *means])


def auc_floor(ladder: Ladder) -> float:
    """Return the lower end of the ladder's AUC scale: the tenth below the lowest interval."""
    lows = [rung.interval[0] for rung in ladder.rungs if rung.interval]
    return min(0.9, *(math.floor(low * 10) / 10 for low in lows)) if lows else 0.5


def form_name(form: str) -> str:
    """Return a form of the profile, such as "cpu onnx", as a heading."""
    device, _, kind = form.partition(" ")
    return f"{device.upper()}, {'exported' if kind == 'onnx' else kind}"
