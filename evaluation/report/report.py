"""The report of a reproduction: one self-contained page, and the same in Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from errors import InputError
from evaluation import formatting
from evaluation.comparison.ladder import Ladder, small_counts
from evaluation.comparison.reproduction import Reproduction
from evaluation.comparison.run import COLLAPSE_AUC, Run
from evaluation.formatting import MISSING
from evaluation.measurement.spectra import mean_spectra
from evaluation.report import cost_plots, quality_plots, training_plots
from evaluation.report.contact_sheet import CropSource, contact_sheet
from evaluation.report.facts import (
    data_facts,
    data_lists,
    level_facts,
    protocol_facts,
    provenance_facts,
)
from evaluation.report.inline_svg import shade
from evaluation.report.summary import (
    answer_form,
    auc_floor,
    claim_span,
    form_name,
    glance,
    headline,
    summary,
)
from evaluation.report.training_plots import Picture
from records.measurements import Measured, read_measured
from records.protocol import RESAMPLES

if TYPE_CHECKING:
    from evaluation.measurement.gradcam import Example

TEMPLATES = Path(__file__).parent / "templates"
_FILTERS = (
    "figure",
    "signed",
    "count",
    "size",
    "interval",
    "short_interval",
    "signed_interval",
    "machine",
    "quartiles",
    "test_name",
    "describe",
    "spoken",
)
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


@dataclass(frozen=True)
class ReportPaths:
    """The files of a written report."""

    html: Path
    markdown: Path


def write_report(reproduction: Reproduction, crops: CropSource | None = None) -> ReportPaths:
    """Write `report.html` and `report.md` into a reproduction's folder.

    What `two-in-one profile` and `two-in-one robustness` left in the folder is shown with it.

    Args:
        reproduction: The runs with their ladder and claims.
        crops: Crop store for sample crops, spectra and Grad-CAM; without one they are left out.

    Raises:
        InputError: The folder holds no whole reproduction, or a run lacks its scores.
    """
    folder = reproduction.folder
    content = _content(reproduction, crops)
    paths = ReportPaths(folder / "report.html", folder / "report.md")
    for path, template, escape in (
        (paths.html, "report.html.j2", True),
        (paths.markdown, "report.md.j2", False),
    ):
        text = _environment(escape).get_template(template).render(content)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
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
    environment.filters["form_name"] = form_name
    environment.filters["shade"] = shade
    return environment


def _content(reproduction: Reproduction, crops: CropSource | None) -> dict[str, Any]:
    runs, ladder = reproduction.runs, reproduction.ladder
    measured = read_measured(reproduction.folder)
    examples, no_examples = _examples(runs, crops)
    return {
        "reproduction": reproduction,
        "tested": runs[0].video,
        "claim_span": claim_span(reproduction.claims),
        "auc_floor": auc_floor(ladder),
        "summary": summary(reproduction.claims),
        "ladder": ladder,
        "notes": small_counts(runs),
        "each_run": _EACH_RUN,
        "protocol": protocol_facts(reproduction),
        "provenance": provenance_facts(reproduction),
        "data": data_facts(reproduction.data),
        "lists": data_lists(reproduction.data),
        "glance": glance(runs, ladder, measured),
        "headline": headline(runs, ladder, measured),
        "headline_form": answer_form(measured),
        "profile": measured.profile,
        "robustness": measured.robustness,
        "levels": level_facts(measured.robustness),
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
    first = {method: of_method[0] for method, of_method in training_plots.by_method(runs).items()}
    params = {method: run.params for method, run in first.items()}
    costs = {method: measured.cost_of(run.name) for method, run in first.items()}
    latency = {
        method: cost["forms"]["cpu eager"]["latency"]["median"]
        for method, cost in costs.items()
        if cost and "cpu eager" in cost["forms"]
    }
    dataset, _, compression = ladder.test.removesuffix("/test").rpartition(" ")
    spectra = mean_spectra(crops, dataset, compression) if crops else []
    return [
        quality_plots.roc_curves(runs),
        cost_plots.pareto(ladder, params, "parameters"),
        quality_plots.score_histograms(runs),
        quality_plots.spectra(spectra, ladder.test),
        cost_plots.pareto(ladder, latency, "latency, ms a crop in eager mode on the CPU"),
        quality_plots.branch_bars(ladder),
        *training_plots.training_curves(runs),
        training_plots.gradient_cosine(runs),
        training_plots.gradient_balance(runs),
    ]


def _examples(runs: Sequence[Run], crops: CropSource | None) -> "tuple[list[Example], str | None]":
    """Grad-CAM of the teacher and of the last student of the ladder, or why there is none."""
    groups = training_plots.by_method(runs)
    students = [method for method in groups if method != "teacher"]
    if crops is None or not students:
        return [], None
    # Both take seconds to import, and only this needs them.
    from evaluation.measurement.gradcam import gradcam_examples
    from evaluation.measurement.models import checkpoint_of, load_model

    chosen = "two-in-one" if "two-in-one" in students else students[-1]
    shown = [groups[chosen][0], *groups.get("teacher", [])[:1]]
    try:
        student, *teacher = ((run, load_model(run, checkpoint_of(run)).detector) for run in shown)
    except InputError as error:  # a report of results whose checkpoints are elsewhere is a report
        reason = str(error)
        for run in shown:  # where they lie on this machine is nobody's business
            reason = reason.replace(str(run.folder), run.name)
        return [], reason
    return gradcam_examples(teacher[0] if teacher else None, student, crops), None


def _accessible(svg: str, title: str) -> Markup:
    """An SVG of `plots`, named for those who do not see it; it holds no text of the user's."""
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1))
