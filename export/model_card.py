"""README.md of a package: the instructions for use."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation import formatting
from evaluation.comparison.run import Run
from inference.card import Card
from records.files import write_file
from records.measurements import Measurements

_TEMPLATES = Path(__file__).parent / "templates"
README = "README.md"


def write_model_card(folder: Path, card: Card, run: Run, measured: Measurements) -> None:
    """Write the instructions for use, in the order of Article 13(3) of the EU's AI Act.

    They begin with Hugging Face's metadata. The figures are those of the run's results and, where
    they were measured, of its robustness and profile.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    robustness = measured.robustness
    context: dict[str, Any] = {
        "card": card,
        "run": run.results.run,
        "tests": run.results.metrics,
        "in_domain": run.in_domain,
        "protocol": run.protocol,
        "cost": measured.cost_of(run.name),
        "machine": measured.profile.machine if measured.profile else None,
        "robustness": robustness,
        "curves": robustness.runs[run.name].curves
        if robustness and run.name in robustness.runs
        else {},
        "f": formatting,
        "folder": "detector",
    }
    text = environment.get_template(f"{README}.j2").render(context)
    write_file(folder / README, text)
