"""The report of a reproduction: a self-contained page, and the same content in Markdown."""

from collections.abc import Sequence
from functools import cache
from inspect import getmembers, isfunction
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from datamodules.crops.store import CropStore
from errors import InputError
from evaluation import formatting
from evaluation.comparison.claims import READINGS
from evaluation.comparison.committed import committed_experiment, describe_committed
from evaluation.comparison.ladder import (
    COLLAPSE_AUC,
    COLLAPSE_DEPTH,
    by_method,
    collapsed_runs,
    small_counts,
)
from evaluation.comparison.reproduction import Reproduction
from evaluation.comparison.run import TEACHER, Run
from evaluation.comparison.verdicts import ZONE
from evaluation.formatting import MISSING
from evaluation.measurement.spectra import mean_spectra
from evaluation.report import facts, quality_plots, summary, training_plots
from evaluation.report.contact_sheet import contact_sheet
from evaluation.report.picture import Picture, shade
from evaluation.report.slice_tables import find_slices
from records.files import write_file
from records.measurements import read_measurements

TEMPLATES = Path(__file__).parent / "templates"
_EACH_RUN = {
    "auc": "Video AUC",
    "ap": "AP",
    "eer": "EER",
    "balanced_accuracy": "Bal. acc.",
    "accuracy": "Accuracy",
    "tpr_at_1pct_fpr": "TPR at 1 % FPR",
    "tpr_at_10pct_fpr": "TPR at 10 % FPR",
    "calibration_error": "Calibration error",
    "log_loss": "Log loss",
}


class ReportPaths(NamedTuple):
    """The files of a written report."""

    html: Path
    markdown: Path


def write_report(reproduction: Reproduction, crops: CropStore | None = None) -> ReportPaths:
    """Write report.html and report.md into a reproduction's folder.

    The report includes the measurements of `two-in-one profile` and `two-in-one robustness` in
    the same folder, and with a crop store sample crops, spectra and Grad-CAM.

    Raises:
        InputError: A run's scores or a measurement are missing or damaged.
    """
    content = _content(reproduction, crops)
    environment = _environment()
    paths = ReportPaths(reproduction.folder / "report.html", reproduction.folder / "report.md")
    for path in paths:
        write_file(path, environment.get_template(f"{path.name}.j2").render(content))
    return paths


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= dict(getmembers(formatting, isfunction))
    environment.filters |= {
        "accessible": _accessible,
        "form_name": summary.form_name,
        "comparisons": summary.claim_comparisons,
        "found_for": summary.found_for,
        "describe_committed": describe_committed,
        "shade": shade,
    }
    return environment


def _content(reproduction: Reproduction, crops: CropStore | None) -> dict[str, Any]:
    runs, ladder = reproduction.runs, reproduction.ladder
    measured = read_measurements(reproduction.folder)
    robustness = measured.robustness
    examples, no_examples = _examples(runs, crops)
    return {
        "reproduction": reproduction,
        "tested": runs[0].video,
        "question": summary.QUESTION,
        "committed": committed_experiment(reproduction.dataset, reproduction.data.recipe),
        "claim_groups": summary.claim_groups(reproduction.claims),
        "readings": READINGS,
        "zone": ZONE,
        "claim_span": summary.claim_span(reproduction.claims),
        "auc_floor": summary.auc_floor(ladder),
        "key_figures": summary.key_figures(ladder, measured),
        "verdicts": summary.verdicts(reproduction.claims),
        "summary_rungs": summary.summary_rungs(ladder, measured),
        "summary_form": summary.summary_form(measured),
        "ladder": ladder,
        "transfer": reproduction.transfer,
        "sliced": find_slices([*runs, *reproduction.elsewhere]),
        "notes": small_counts(runs),
        "each_run": _EACH_RUN,
        "protocol": facts.protocol_facts(reproduction),
        "provenance": facts.provenance_facts(reproduction),
        "data": facts.data_facts(reproduction),
        "profile": measured.profile,
        "robustness": robustness,
        "levels": facts.level_facts(robustness),
        "robustness_picture": quality_plots.robustness_curves(robustness) if robustness else None,
        "pictures": _pictures(runs, crops),
        "examples": examples,
        "no_examples": no_examples,
        "strips": contact_sheet(crops) if crops else [],
        "collapsed": collapsed_runs(runs),
        "missing": MISSING,
        "collapse": (COLLAPSE_AUC, COLLAPSE_DEPTH),
    }


def _pictures(runs: Sequence[Run], crops: CropStore | None) -> list[Picture]:
    data = runs[0].protocol
    means = mean_spectra(crops, data.dataset, data.compression) if crops else []
    pictures = [
        quality_plots.roc_curves(runs),
        quality_plots.score_histograms(runs),
        quality_plots.spectra(means, data.test),
        *training_plots.training_curves(runs),
        training_plots.gradient_cosine(runs),
    ]
    return [picture for picture in pictures if picture]


def _examples(runs: Sequence[Run], crops: CropStore | None) -> tuple[list[Any], str | None]:
    """Return Grad-CAM of the teacher and of the ladder's last student, or why it is missing."""
    groups = by_method(runs)
    students = [method for method in groups if method != TEACHER]
    if crops is None or not students:
        return [], None
    # Both import torch and Lightning, which take seconds, and a report without crops needs neither.
    from evaluation.measurement.models import checkpoint_of, load_model
    from evaluation.report.gradcam import gradcam_examples

    chosen = "two-in-one" if "two-in-one" in students else students[-1]
    shown = [groups[method][0] for method in (TEACHER, chosen) if method in groups]
    try:
        detectors = [load_model(run, checkpoint_of(run)).detector for run in shown]
    except InputError as error:  # the report does not need the checkpoints for anything else
        reason = str(error)
        for run in shown:  # do not publish paths of this machine
            reason = reason.replace(str(run.folder), run.name)
        return [], reason
    return gradcam_examples(list(zip(shown, detectors, strict=True)), crops), None


def _accessible(svg: str, title: str) -> Markup:
    """Return an SVG of `picture.to_svg`, which contains no user's text, with a title."""
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1))
