"""Protocol, data and provenance of a report, as rows of a name and a phrase."""

from collections.abc import Sequence

from msgspec import to_builtins

from evaluation.comparison.reproduction import Reproduction
from evaluation.comparison.run import Run
from evaluation.formatting import MISSING, describe, duration, figure, interval, spoken
from records.data_info import ConfoundControl
from records.measurements import Robustness
from records.protocol import RESAMPLES

_NAMES = {"git_dirty": "Changed since the commit"}  # of provenance.json


def protocol_facts(reproduction: Reproduction) -> dict[str, str]:
    """Describe how the figures were measured."""
    runs = reproduction.runs
    in_domain = runs[0].in_domain
    thresholds = sorted({figure(run.video.threshold) for run in runs})
    selected = dict.fromkeys(run.protocol.selected_on for run in runs)
    best = ", ".join(selected).replace(" video_auc", " by its video AUC")
    # From the second pass on, the scores of the test split may have guided choices.
    often = [f"{run.name} {run.test_passes} times" for run in runs if run.test_passes != 1]
    return {
        "Test set": in_domain,
        "Test split scored": f"once by each run{', but ' + ', '.join(often) if often else ''}",
        "Other test sets": describe([test for test in runs[0].metrics() if test != in_domain]),
        "Trained on": _agreed(runs, "compression") + "; " + _agreed(runs, "methods"),
        "Frames per video": _agreed(runs, "frames_per_video"),
        "Enlargement of the face box": _agreed(runs, "crop_scale"),
        "Size of the crops, px": _agreed(runs, "crop_size"),
        "Video score": f"{_agreed(runs, 'aggregation')} of the probabilities of its frames",
        "Threshold": f"{_agreed(runs, 'threshold')}; for videos "
        + " to ".join(dict.fromkeys((thresholds[0], thresholds[-1]))),
        "Checkpoint": f"the best on {best}"
        + ("; not the validation split" if any("/val " not in s for s in selected) else ""),
        "Seeds": describe(sorted({run.seed for run in runs})),
        "Intervals": "95 %, Student's t over runs and test identities together; AUC and other "
        f"rates on the logit scale, by DeLong's components or {RESAMPLES} resamples of the people",
    }


def _agreed(runs: Sequence[Run], key: str) -> str:
    """Return an entry of the runs' protocols, or all entries if they differ."""
    return " or ".join(dict.fromkeys(describe(getattr(run.protocol, key)) for run in runs))


def provenance_facts(reproduction: Reproduction) -> dict[str, str]:
    """Describe the first run's provenance.json, and the commits of all runs."""
    commits = dict.fromkeys(run.results.run.git_commit for run in reproduction.runs)
    rows = {
        "Commit": describe([commit for commit in commits if commit]),
        "Training and tests took": duration(reproduction.data.seconds),
    }
    if reproduction.data.command:
        rows["Command"] = reproduction.data.command
    for key, value in (to_builtins(reproduction.runs[0].provenance) or {}).items():
        if key not in ("version", "seed", "git_commit", "seconds") and value is not None:
            rows.setdefault(_NAMES.get(key, spoken(key).capitalize()), describe(value))
    return rows


def data_facts(reproduction: Reproduction) -> dict[str, str]:
    """Describe the `data` block of results.json."""
    data = reproduction.data
    rows = {
        "Data set": describe(data.name),
        "Kind": describe(data.kind) if reproduction.miniature else "the release",
        "Videos": describe(data.videos),
        "Crops": describe(data.crops),
        "Frames without a face": describe(data.frames_without_face),
        "Detectable without the face": _confound_control(data.confound_control),
    }
    if (extraction := data.extraction) is not None:
        rows["Videos without a face"] = str(len(extraction.videos_without_face))
        rows["Unreadable videos"] = str(len(extraction.unreadable))
        rows["Extraction took"] = duration(extraction.seconds)
    return rows


def _confound_control(control: ConfoundControl | None) -> str:
    """Describe the AUCs of classifiers that see the files but no face; see `mini_ffpp.control`."""
    if not control:
        return MISSING
    reached = [
        f"{figure(result.auc)} ({interval(result.interval)}, {name})"
        for name, result in (
            ("logistic regression", control.logistic_regression),
            ("gradient boosting", control.gradient_boosting),
        )
    ]
    return f"video AUC {' and '.join(reached)} from {', '.join(control.features)}; 0.5 is chance"


def level_facts(robustness: Robustness | None) -> dict[str, str]:
    """List the levels of each corruption."""
    corruptions = robustness.corruptions if robustness else {}
    return {
        name: f"{corruption.quantity} {', '.join(f'{x:g}' for x in corruption.levels)}"
        for name, corruption in corruptions.items()
    }
