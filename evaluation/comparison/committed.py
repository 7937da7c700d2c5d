"""What the committed experiment found, to be shown beside ladders of the same recipe.

Their schedules may differ: `make claims` trains until the curves are flat.
"""

from pathlib import Path

from records.blocks import ExperimentClaims
from records.files import read_record

COMMITTED = Path(__file__).parents[1] / "report" / "experiment.json"
"""A copy of the experiment's claims.json, which a package contains."""


def committed_experiment(dataset: str, recipe: str | None) -> ExperimentClaims | None:
    """Read the committed experiment, None if there is none of this data set and recipe.

    Raises:
        InputError: The file is damaged.
    """
    if recipe is None or not COMMITTED.is_file():
        return None
    remedy = "copy the claims.json of the experiment again"
    found = read_record(COMMITTED, ExperimentClaims, "the claims of an experiment", remedy)
    return found if (found.data.name, found.data.recipe) == (dataset, recipe) else None


def describe_committed(found: ExperimentClaims) -> str:
    """Return the runs behind the verdicts, in a phrase."""
    compared = [comparison for claim in found.claims for comparison in claim.comparisons]
    people = max(comparison.identities or 0 for comparison in compared)
    teachers = max(comparison.teachers for comparison in compared)
    runs = f"{found.judged[-1]} runs of {found.epochs} epochs"
    return f"{runs}, teachers: {teachers}, test identities: {people}"
