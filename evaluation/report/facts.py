"""Protocol, data and provenance of a report, as rows of a name and a phrase."""

from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins

from evaluation import formatting
from evaluation.comparison.reproduction import Reproduction
from evaluation.comparison.run import Run
from evaluation.formatting import MISSING, describe, spoken
from records.data_info import ConfoundControl, DataInfo, LeftOut
from records.measurements import Robustness
from records.protocol import RESAMPLES

_NAMES = {"git_dirty": "Changed since the commit"}  # of provenance.json
_MOST_LISTED = 200  # frames without a face; extraction.json lists all


def protocol_facts(reproduction: Reproduction) -> dict[str, str]:
    """Describe how the figures were measured."""
    runs = reproduction.runs
    thresholds = sorted({formatting.figure(run.video.threshold) for run in runs})
    selected = dict.fromkeys(run.protocol.selected_on for run in runs)
    best = ", ".join(selected).replace(" video_auc", " by its video AUC")
    seeds = sorted({run.seed for run in runs})
    return {
        "Test set": runs[0].in_domain,
        "Test split scored": _test_passes(runs),
        "Other test sets": describe(
            [test for test in runs[0].metrics() if test != runs[0].in_domain]
        ),
        "Trained on": _agreed(runs, "compression") + "; " + _agreed(runs, "methods"),
        "Frames per video": _agreed(runs, "frames_per_video"),
        "Enlargement of the face box": _agreed(runs, "crop_scale"),
        "Size of the crops, px": _agreed(runs, "crop_size"),
        "Video score": f"{_agreed(runs, 'aggregation')} of the probabilities of its frames",
        "Threshold": f"{_agreed(runs, 'threshold')}; for videos "
        + " to ".join(dict.fromkeys((thresholds[0], thresholds[-1]))),
        "Checkpoint": f"the best on {best}"
        + ("; not the validation split" if any("/val " not in s for s in selected) else ""),
        "Seeds": describe(seeds),
        "Intervals": f"95 %, bootstrap of {RESAMPLES} resamples over the identities of the test "
        "videos; over seeds Student's t of the paired differences",
    }


def provenance_facts(reproduction: Reproduction) -> dict[str, str]:
    """Describe the first run's provenance.json, and the commits of all runs."""
    commits = dict.fromkeys(run.results.run.git_commit for run in reproduction.runs)
    rows = {"Commit": describe([commit for commit in commits if commit])}
    if reproduction.data.seconds is not None:
        rows["Training and tests took"] = formatting.duration(reproduction.data.seconds)
    if reproduction.data.command:
        rows["Command"] = describe(reproduction.data.command)
    for key, value in (to_builtins(reproduction.runs[0].provenance) or {}).items():
        if key not in ("version", "seed", "git_commit", "seconds") and value is not None:
            rows.setdefault(_NAMES.get(key, spoken(key).capitalize()), describe(value))
    return rows


def data_facts(data: DataInfo) -> dict[str, str]:
    """Describe the `data` block of results.json in numbers."""
    extraction = data.extraction
    rows = {
        "Data set": describe(data.name),
        "Kind": describe(data.kind) if data.miniature else "the release",
        "Videos": describe(data.videos),
        "Crops": describe(data.crops),
        "Frames without a face": describe(data.frames_without_face),
        "Videos without a face": _length(extraction.videos_without_face if extraction else None),
        "Unreadable videos": _length(extraction.unreadable if extraction else None),
        "Detectable without the face": _confound_control(data.confound_control),
    }
    if extraction is not None:
        rows["Extraction took"] = formatting.duration(extraction.seconds)
    return rows


def data_lists(data: DataInfo) -> dict[str, list[str]]:
    """List the frames and videos without a crop."""
    extraction = data.extraction
    if extraction is None:
        return {}
    lists = {
        "Frames without a face": _frames_by_video(extraction.frames_without_face),
        "Videos without a face": _describe_all(extraction.videos_without_face),
        "Unreadable videos": _describe_all(extraction.unreadable),
    }
    for items in lists.values():
        if more := len(items[_MOST_LISTED:]):
            items[_MOST_LISTED:] = [f"and {more} more, see extraction.json of the crop store"]
    return {title: items for title, items in lists.items() if items}


def level_facts(robustness: Robustness | None) -> dict[str, str]:
    """List the levels of each corruption."""
    corruptions = robustness.corruptions if robustness else {}
    return {
        name: f"{corruption.quantity} {', '.join(f'{x:g}' for x in corruption.levels)}"
        for name, corruption in corruptions.items()
    }


def _confound_control(control: ConfoundControl | None) -> str:
    """Describe the AUCs of classifiers that see the files but no face; see `mini_ffpp.control`."""
    if not control:
        return MISSING
    reached = [
        f"{formatting.figure(result.auc)} ({formatting.interval(result.interval)}, {name})"
        for name, result in (
            ("logistic regression", control.logistic_regression),
            ("gradient boosting", control.gradient_boosting),
        )
    ]
    return f"video AUC {' and '.join(reached)} from {', '.join(control.features)}; 0.5 is chance"


def _agreed(runs: Sequence[Run], key: str) -> str:
    """Return an entry of the runs' protocols, or all entries if they differ."""
    return " or ".join(dict.fromkeys(describe(getattr(run.protocol, key)) for run in runs))


def _test_passes(runs: Sequence[Run]) -> str:
    """Report how often the test split was scored: after the first time it may guide choices."""
    often = [f"{run.name} {run.test_passes} times" for run in runs if run.test_passes != 1]
    return f"once by each run{', but ' + ', '.join(often) if often else ''}"


def _length(items: Sequence[Any] | None) -> str:
    return MISSING if items is None else str(len(items))


def _describe_all(items: Sequence[LeftOut] | None) -> list[str]:
    return [describe(to_builtins(item)) for item in items or []]


def _frames_by_video(frames: Sequence[LeftOut]) -> list[str]:
    by_video: dict[str, list[str]] = {}
    for frame in frames:
        name = f"{frame.key} ({frame.compression})"
        by_video.setdefault(name, []).append(str(frame.frame))
    return [
        f"{name}: frame{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
        for name, numbers in by_video.items()
    ]
