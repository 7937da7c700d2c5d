"""Differences between the protocols of runs."""

from collections.abc import Sequence

from errors import InputError
from evaluation.comparison.run import Run
from evaluation.formatting import describe, spoken
from records.protocol import Protocol

MEASUREMENT = ("frames_per_video", "crop_scale", "crop_size", "aggregation", "intervals")
"""Fields of a protocol that do not depend on the data that a run was trained on."""


def protocol_differences(
    runs: Sequence[Run], fields: Sequence[str] = Protocol.__struct_fields__
) -> list[str]:
    """Describe each difference between the runs' protocols in one line."""
    lines = []
    for field in fields:
        names: dict[str, list[str]] = {}
        for run in runs:
            names.setdefault(describe(getattr(run.protocol, field)), []).append(run.name)
        if len(names) > 1:
            parts = [f"{value} ({_list(of)})" for value, of in names.items()]
            lines.append(f"{spoken(field)}: {' against '.join(parts)}")
    return lines


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def check_comparable(runs: Sequence[Run], *, any_protocol: bool, test: str | None = None) -> None:
    """Check that runs fit into one table: one test set, one protocol, one run per method and seed.

    Args:
        runs: Runs of the table.
        any_protocol: Allow different protocols.
        test: Test set of the table; default: the in-domain test set.

    Raises:
        InputError: The runs do not fit into one table; what differs is named.
    """
    seen: dict[tuple[str, int], Run] = {}
    for run in runs:
        if test is not None and test not in run.metrics():
            msg = (
                f"{run.folder}: tested on {', '.join(run.metrics())}, expected {test}: "
                "test the run on it, see data.test_compressions"
            )
            raise InputError(msg)
        if test is None and run.in_domain != runs[0].in_domain:
            msg = (
                f"{run.folder}: tested on {run.in_domain}, but {runs[0].folder} on "
                f"{runs[0].in_domain}; expected one data set per table: report them separately"
            )
            raise InputError(msg)
        other = seen.setdefault((run.method, run.seed), run)
        if other is not run:
            msg = (
                f"{run.folder}: {run.method} with seed {run.seed} is also in {other.folder}; "
                "expected one run per method and seed: leave one out"
            )
            raise InputError(msg)
    if not any_protocol:
        _check_renderings(runs)
        _refuse(protocol_differences(runs), "one protocol")


def check_measured_alike(runs: Sequence[Run], *, any_protocol: bool) -> None:
    """Check that runs, trained on whatever data, were measured alike; InputError if not."""
    if not any_protocol:
        _refuse(protocol_differences(runs, MEASUREMENT), "one way of measuring")


def _refuse(differences: Sequence[str], expected: str) -> None:
    if differences:
        msg = (
            f"the runs' protocols differ in {'; '.join(differences)}: expected {expected} per "
            "table: leave runs out, or allow it with --any_protocol"
        )
        raise InputError(msg)


def _check_renderings(runs: Sequence[Run]) -> None:
    """Check that a teacher and all its students are from one rendering of the data."""
    first: dict[int, Run] = {}
    for run in runs:
        if (teacher_seed := run.results.run.teacher_seed) is None:
            continue
        other = first.setdefault(teacher_seed, run)
        made, expected = run.results.run.manifest_hash, other.results.run.manifest_hash
        if made != expected:
            msg = (
                f"{run.folder}: made from the manifest {str(made)[:8]}, but {other.folder} from "
                f"{str(expected)[:8]}; expected one rendering for a teacher and its students: "
                "leave runs out, or allow it with --any_protocol"
            )
            raise InputError(msg)
