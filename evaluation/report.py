"""The report of a reproduction: one self-contained page, and the same in Markdown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evaluation import formatting, plots
from evaluation.bootstrap import RESAMPLES
from evaluation.claims import SUPPORTED, UNDECIDED
from evaluation.contact_sheet import CropSource, contact_sheet
from evaluation.formatting import MISSING, describe, spoken
from evaluation.ladder import Ladder, build_ladder, small_counts
from evaluation.reproduction import Reproduction, read_reproduction
from evaluation.results import COLLAPSE_AUC

TEMPLATES = Path(__file__).parent / "templates"
_MOST_LISTED = 200  # frames without a face; the rest is in extraction.json


@dataclass(frozen=True)
class ReportPaths:
    """The files of a written report."""

    html: Path
    markdown: Path


def write_report(reproduction: Path, crops: CropSource | None = None) -> ReportPaths:
    """Write `report.html` and `report.md` into a reproduction's folder.

    Args:
        reproduction: Folder with the results.json of `write_reproduction`, and its runs.
        crops: Crop store for the sample crops; without one they are left out.

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
    for name in ("figure", "signed", "count", "interval", "signed_interval", "describe", "spoken"):
        environment.filters[name] = getattr(formatting, name)
    environment.filters["accessible"] = _accessible
    return environment


def _content(reproduction: Reproduction, crops: CropSource | None) -> dict[str, Any]:
    runs, ladder = reproduction.runs, build_ladder(reproduction.runs)
    pictures = [
        plots.roc_curves(runs),
        plots.branch_bars(ladder),
        *plots.training_curves(runs),
        plots.gradient_cosine(runs),
        plots.gradient_balance(runs),
    ]
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
        "pictures": [picture for picture in pictures if picture],
        "strips": contact_sheet(crops.manifest, crops.crop) if crops else [],
        "collapses": ladder.several_seeds or any(run.collapsed for run in runs),
        "missing": MISSING,
        "collapse_auc": COLLAPSE_AUC,
        "resamples": RESAMPLES,
    }


def _accessible(svg: str, title: str) -> Markup:
    """An SVG of `plots`, named for those who do not see it; it holds no text of the user's."""
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1))


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
    data, runs = reproduction.data, reproduction.runs
    store = data.get("store") or {}
    thresholds = sorted({_threshold(run.results["metrics"][run.in_domain]) for run in runs})
    selected = dict.fromkeys(str(run.protocol["selected_on"]) for run in runs)
    seeds = sorted({run.seed for run in runs})
    return {
        "Test set": runs[0].in_domain,
        "Other test sets": describe(build_ladder(reproduction.runs).other_tests),
        "Compression": describe(data.get("compression")),
        "Frames a video": describe(store.get("frames_per_video")),
        "Face box enlarged": f"{store['scale']} times" if "scale" in store else MISSING,
        "Crop": f"{store['size']} × {store['size']} px" if "size" in store else MISSING,  # noqa: RUF001
        "Video score": "mean of the probabilities of its frames",
        "Threshold": "highest balanced accuracy on the validation split; "
        + (f"{thresholds[0]} to {thresholds[-1]}" if len(thresholds) > 1 else thresholds[0]),
        "Checkpoint": f"the best on {', '.join(selected)}"
        + ("; not the validation split" if any("/val " not in s for s in selected) else ""),
        "Seeds": describe(seeds),
        "Intervals": f"95 %, bootstrap of {RESAMPLES} resamples over the identities of the test "
        "videos; over seeds Student's t of the paired differences",
    }


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
