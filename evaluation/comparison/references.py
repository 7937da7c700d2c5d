"""Published figures, and whether their protocol is that of a run."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from errors import InputError
from evaluation.comparison.run import Run
from evaluation.formatting import MISSING, spoken
from records.files import read_text

REFERENCES = Path(__file__).parents[1] / "references.csv"

PROTOCOL = (
    "dataset", "compression", "methods", "frames_per_video", "crop", "aggregation", "selected_on",
)  # fmt: skip
"""What must agree: training data, frames per test video, crop, score of a video, and the data that
the checkpoint was selected on. An empty field is not published, so it agrees with nothing."""


@dataclass(frozen=True)
class Reference:
    """A published AUC.

    Attributes:
        test: Test set as in results.json, e.g. "Celeb-DF-v2 release/test".
        level: "frame" or "video".
        run_by: Who ran it.
        protocol: By name of PROTOCOL; frames have no `aggregation`.
        source: Address.
    """

    detector: str
    test: str
    level: str
    auc: float
    run_by: str
    protocol: dict[str, str]
    source: str


@dataclass(frozen=True)
class Unlike:
    """References of one test set, level and origin that differ from a run in the same way."""

    test: str
    level: str
    run_by: str
    source: str
    differences: tuple[str, ...]
    figures: dict[str, float] = field(default_factory=dict)


def read_references(file: Path = REFERENCES) -> list[Reference]:
    """Read the published figures.

    Raises:
        InputError: The file is missing, or a row lacks a column or has another AUC than a number.
    """
    expected, remedy = "a table of published figures", "install the package again"
    rows = csv.DictReader(StringIO(read_text(file, expected, remedy)))
    references = []
    for row in rows:
        try:
            reference = Reference(
                detector=row["detector"],
                test=f"{row['test']}/test",
                level=row["level"],
                auc=float(row["auc"]),
                run_by=row["run_by"],
                protocol={name: row[name] for name in PROTOCOL},
                source=row["source"],
            )
        except (KeyError, TypeError, ValueError) as error:
            msg = f"{file}, line {rows.line_num}: {error}; expected {expected}: {remedy}"
            raise InputError(msg) from error
        references.append(reference)
    return references


def protocol_of(run: Run) -> dict[str, str]:
    """Return a run's protocol in the words of the references."""
    protocol = run.protocol
    validated = protocol.selected_on == f"{protocol.dataset}/val video_auc"
    return {
        "dataset": protocol.dataset,
        "compression": protocol.compression,
        "methods": "+".join(sorted(protocol.methods)),
        "frames_per_video": str(protocol.frames_per_video),
        "crop": f"box, {protocol.crop_scale:g}",
        "aggregation": protocol.aggregation,
        "selected_on": "validation" if validated else protocol.selected_on,
    }


def split_references(
    references: Iterable[Reference], run: Run, tests: Sequence[str]
) -> tuple[list[Reference], list[Unlike]]:
    """Return the references with the run's protocol, and the others grouped by what differs.

    Only references on the given test sets are returned.
    """
    alike: list[Reference] = []
    unlike: dict[tuple[str, str, str, str, tuple[str, ...]], Unlike] = {}
    own = protocol_of(run)
    for one in references:
        if one.test not in tests:
            continue
        if differences := tuple(_differences(one, own)):
            key = one.test, one.level, one.run_by, one.source, differences
            unlike.setdefault(key, Unlike(*key)).figures[one.detector] = one.auc
        else:
            alike.append(one)
    return alike, list(unlike.values())


def _differences(reference: Reference, own: dict[str, str]) -> list[str]:
    """Describe each field of the protocol in which a reference differs from a run."""
    return [
        f"{spoken(name)}: {found or 'not published'} (here {own[name] or MISSING})"
        for name, found in reference.protocol.items()
        if (name != "aggregation" or reference.level == "video")
        and (found == "" or found != own[name])
    ]
