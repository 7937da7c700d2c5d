"""The report of a reproduction: one self-contained page, and the same in Markdown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from errors import InputError
from evaluation import cost_plots, formatting, plots, quality_plots
from evaluation.bootstrap import RESAMPLES
from evaluation.claims import SUPPORTED, UNDECIDED
from evaluation.contact_sheet import CropSource, contact_sheet
from evaluation.formatting import MISSING, describe, spoken
from evaluation.ladder import Ladder, Rung, build_ladder, small_counts
from evaluation.measured import Measured, read_measured
from evaluation.plots import Picture
from evaluation.reproduction import Reproduction, read_reproduction
from evaluation.results import COLLAPSE_AUC, Run
from evaluation.spectra import mean_spectra

if TYPE_CHECKING:
    from evaluation.gradcam import Example

TEMPLATES = Path(__file__).parent / "templates"
_FILTERS = (
    "figure",
    "signed",
    "count",
    "size",
    "interval",
    "short_interval",
    "signed_interval",
    "describe",
    "spoken",
)
_MOST_LISTED = 200  # frames without a face; the rest is in extraction.json


@dataclass(frozen=True)
class ReportPaths:
    """The files of a written report."""

    html: Path
    markdown: Path


def write_report(reproduction: Path, crops: CropSource | None = None) -> ReportPaths:
    """Write `report.html` and `report.md` into a reproduction's folder.

    What `two-in-one profile` and `two-in-one robustness` left in the folder is shown with it.

    Args:
        reproduction: Folder with the results.json of `write_reproduction`, and its runs.
        crops: Crop store for sample crops, spectra and Grad-CAM; without one they are left out.

    Raises:
        InputError: The folder holds no whole reproduction, or a run lacks its scores.
    """
    content = _content(read_reproduction(reproduction), crops)
    paths = ReportPaths(reproduction / "report.html", reproduction / "report.md")
    for path, template, escape in (
        (paths.html, "report.html.j2", True),
        (paths.markdown, "report.md.j2", False),
    ):
        text = _environment(escape).get_template(template).render(content)
        path.write_text(text, encoding="utf-8")
    return paths


def _environment(escape: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _FILTERS:
        environment.filters[name] = getattr(formatting, name)
    environment.filters["accessible"] = _accessible
    environment.filters["form_name"] = _form_name
    return environment


def _content(reproduction: Reproduction, crops: CropSource | None) -> dict[str, Any]:
    runs, ladder = reproduction.runs, build_ladder(reproduction.runs)
    measured = read_measured(reproduction.folder)
    examples, no_examples = _examples(runs, crops)
    return {
        "reproduction": reproduction,
        "tested": runs[0].results["metrics"][runs[0].in_domain]["overall"]["video"],
        "claim_span": _claim_span(reproduction.claims),
        "auc_floor": _auc_floor(ladder),
        "summary": _summary(reproduction.claims),
        "ladder": ladder,
        "notes": small_counts(runs),
        "protocol": _protocol(reproduction),
        "provenance": _provenance(reproduction),
        "data": _data(reproduction.data),
        "lists": _lists(reproduction.data),
        "glance": _glance(ladder, measured),
        "profile": measured.profile,
        "robustness": measured.robustness,
        "levels": _levels(measured.robustness),
        "robustness_picture": measured.robustness
        and cost_plots.robustness_curves(measured.robustness),
        "pictures": [p for p in _pictures(reproduction, ladder, measured, crops) if p],
        "examples": examples,
        "no_examples": no_examples,
        "strips": contact_sheet(crops.manifest, crops.crop) if crops else [],
        "collapses": any(run.collapsed for run in runs),
        "missing": MISSING,
        "collapse_auc": COLLAPSE_AUC,
        "resamples": RESAMPLES,
    }


def _pictures(
    reproduction: Reproduction, ladder: Ladder, measured: Measured, crops: CropSource | None
) -> list[Picture | None]:
    runs = reproduction.runs
    first = {rung.method: runs_of[0] for rung, runs_of in _runs_of(ladder, runs)}
    params = {method: run.params for method, run in first.items()}
    costs = {method: measured.cost_of(run.name) for method, run in first.items()}
    latency = {
        method: cost["forms"]["cpu eager"]["latency"]["median"]
        for method, cost in costs.items()
        if cost and "cpu eager" in cost["forms"]
    }
    spectra = mean_spectra(crops, reproduction.dataset) if crops else []
    return [
        quality_plots.roc_curves(runs),
        cost_plots.pareto(ladder.rungs, params, "parameters"),
        quality_plots.score_histograms(runs),
        quality_plots.spectra(spectra, reproduction.dataset),
        cost_plots.pareto(ladder.rungs, latency, "latency, ms a crop in eager mode on the CPU"),
        quality_plots.branch_bars(ladder),
        *plots.training_curves(runs),
        plots.gradient_cosine(runs),
        plots.gradient_balance(runs),
    ]


def _runs_of(ladder: Ladder, runs: Sequence[Run]) -> list[tuple[Rung, list[Run]]]:
    return [(rung, [run for run in runs if run.method == rung.method]) for rung in ladder.rungs]


def _examples(runs: Sequence[Run], crops: CropSource | None) -> "tuple[list[Example], str | None]":
    """Grad-CAM of the teacher and of the last student of the ladder, or why there is none."""
    groups = plots.by_method(runs)
    students = [method for method in groups if method != "teacher"]
    if crops is None or not students:
        return [], None
    # Both take seconds to import, and only this needs them.
    from evaluation.gradcam import gradcam_examples
    from evaluation.models import checkpoint_of
    from lightning_modules.checkpoints import load_detector

    chosen = "two-in-one" if "two-in-one" in students else students[-1]
    try:
        student, *teacher = (
            (run, load_detector(checkpoint_of(run)))
            for run in (groups[chosen][0], *groups.get("teacher", [])[:1])
        )
    except InputError as error:  # a report of results whose checkpoints are elsewhere is a report
        return [], str(error)
    return gradcam_examples(teacher[0] if teacher else None, student, crops), None


def _accessible(svg: str, title: str) -> Markup:
    """An SVG of `plots`, named for those who do not see it; it holds no text of the user's."""
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1))


def _glance(ladder: Ladder, measured: Measured) -> str | None:
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
    cost = measured.cost_of(f"two-in-one-seed{student.seeds[0]}")
    for form, timed in (cost["forms"] if cost else {}).items():
        if form.endswith("onnx") and (times := timed["latency"]["times_better_than_teacher"]):
            parts.append(f"and {times:.1f} times faster ({_form_name(form)}, crop by crop)")
    return f"{', '.join(parts[:2])} {' '.join(parts[2:])}".rstrip() + "."


def _form_name(form: str) -> str:
    """A form of the profile, such as "cpu onnx", as a heading."""
    device, _, kind = form.partition(" ")
    return f"{device.upper()}, {'exported' if kind == 'onnx' else kind}"


def _levels(robustness: dict[str, Any] | None) -> dict[str, str]:
    """Each corruption's five levels, and what they are."""
    corruptions = robustness["corruptions"] if robustness else {}
    return {
        name: f"{corruption['quantity']} {', '.join(f'{x:g}' for x in corruption['levels'])}"
        for name, corruption in corruptions.items()
    }


def _claim_span(claims: Sequence[dict[str, Any]]) -> float:
    """Half width of the claims' common scale of differences."""
    bounds = [c["interval"] for claim in claims for c in claim["comparisons"] if c["interval"]]
    return max([0.02, *(abs(float(end)) for ends in bounds for end in ends)])


def _auc_floor(ladder: Ladder) -> float:
    """Lower end of the table's scale of AUC: the tenth below the lowest interval."""
    lows = [rung.interval[0] for rung in ladder.rungs if rung.interval]
    return min(0.9, *(math.floor(low * 10) / 10 for low in lows)) if lows else 0.5


def _summary(claims: Sequence[dict[str, Any]]) -> str:
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


def _protocol(reproduction: Reproduction) -> dict[str, str]:
    """How the figures were measured; what no file says is a dash."""
    runs = reproduction.runs
    thresholds = sorted({_threshold(run.results["metrics"][run.in_domain]) for run in runs})
    selected = dict.fromkeys(str(run.protocol["selected_on"]) for run in runs)
    seeds = sorted({run.seed for run in runs})
    return {
        "Test set": runs[0].in_domain,
        "Test split scored": _test_passes(runs),
        "Other test sets": describe(
            [test for test in runs[0].results["metrics"] if test != runs[0].in_domain]
        ),
        "Trained on": _agreed(runs, "compression") + "; " + _agreed(runs, "methods"),
        "Frames a video": _agreed(runs, "frames_per_video"),
        "Face box enlarged": f"{_agreed(runs, 'crop_scale')} times",
        "Crop": f"{_agreed(runs, 'crop_size')} px",
        "Video score": f"{_agreed(runs, 'aggregation')} of the probabilities of its frames",
        "Threshold": f"{_agreed(runs, 'threshold')}; for videos "
        + (f"{thresholds[0]} to {thresholds[-1]}" if len(thresholds) > 1 else thresholds[0]),
        "Checkpoint": f"the best on {', '.join(selected)}"
        + ("; not the validation split" if any("/val " not in s for s in selected) else ""),
        "Seeds": describe(seeds),
        "Intervals": f"95 %, bootstrap of {RESAMPLES} resamples over the identities of the test "
        "videos; over seeds Student's t of the paired differences",
    }


def _agreed(runs: Sequence[Run], key: str) -> str:
    """What the runs' protocols say; all of it where they differ."""
    return " or ".join(dict.fromkeys(describe(run.protocol[key]) for run in runs))


def _test_passes(runs: Sequence[Run]) -> str:
    """How often the test split was scored: more than once, and something may have been chosen."""
    often = [f"{run.name} {run.test_passes} times" for run in runs if run.test_passes != 1]
    return f"once by each run{', but ' + ', '.join(often) if often else ''}"


def _threshold(test: dict[str, Any]) -> str:
    return formatting.figure(test["overall"]["video"].get("threshold"))


def _provenance(reproduction: Reproduction) -> dict[str, str]:
    """What the first run's provenance.json says, its own words; commits of all runs."""
    commits = dict.fromkeys(run.results["run"].get("git_commit") for run in reproduction.runs)
    first = reproduction.runs[0].provenance
    rows = {"Commit": describe([commit for commit in commits if commit])}
    if "seconds" in reproduction.data:
        rows["Time of the whole"] = formatting.duration(reproduction.data["seconds"])
    if reproduction.data.get("command"):
        rows["Command"] = describe(reproduction.data["command"])
    for key, value in first.items():
        if key not in ("version", "seed", "git_commit", "seconds") and value is not None:
            rows.setdefault(spoken(key).capitalize(), describe(value))
    return rows


def _data(data: dict[str, Any]) -> dict[str, str]:
    """The data in numbers; what the block does not hold is a dash."""
    extraction = data.get("extraction") or {}
    rows = {
        "Data set": describe(data.get("name")),
        "Kind": describe(data.get("kind")) if data.get("miniature") else "the release",
        "Videos": describe(data.get("videos")),
        "Crops": describe(data.get("crops")),
        "Frames without a face": describe(data.get("frames_without_face")),
        "Videos without a face": _length(extraction.get("videos_without_face")),
        "Unreadable videos": _length(extraction.get("unreadable")),
        "Confound control": describe(data.get("confound_control")),
    }
    if "seconds" in extraction:
        rows["Extraction took"] = formatting.duration(extraction["seconds"])
    return rows


def _length(items: Sequence[Any] | None) -> str:
    return MISSING if items is None else str(len(items))


def _lists(data: dict[str, Any]) -> dict[str, list[str]]:
    """The frames and videos that were left out, by name."""
    extraction = data.get("extraction") or {}
    lists = {
        "Frames without a face": _frames_by_video(extraction.get("frames_without_face") or []),
        "Videos without a face": [describe(v) for v in extraction.get("videos_without_face") or []],
        "Unreadable videos": [describe(v) for v in extraction.get("unreadable") or []],
    }
    for items in lists.values():
        if len(items) > _MOST_LISTED:
            items[_MOST_LISTED:] = [
                f"and {len(items) - _MOST_LISTED} more, see extraction.json beside the crops"
            ]
    return {title: items for title, items in lists.items() if items}


def _frames_by_video(frames: Sequence[dict[str, Any]]) -> list[str]:
    by_video: dict[str, list[str]] = {}
    for frame in frames:
        name = f"{frame['key']} ({frame['compression']})"
        by_video.setdefault(name, []).append(str(frame["frame"]))
    return [
        f"{name}: frame{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
        for name, numbers in by_video.items()
    ]
