"""A reproduction: the runs of the ladder side by side, the claims about them, and their data."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import InputError
from evaluation.comparison.claims import judge_claims
from evaluation.comparison.ladder import ladder_order
from evaluation.comparison.run import Run, find_runs
from records.protocol import check_same_protocol, protocol_differences
from records.results import read_reproduction_results, read_results, write_results

MINIATURE_PREFIX = "mini-"


@dataclass(frozen=True)
class Reproduction:
    """What a report is about."""

    folder: Path
    runs: list[Run]
    claims: list[dict[str, Any]]
    data: dict[str, Any]

    @property
    def dataset(self) -> str:
        """Name of the data set trained and tested on."""
        return self.runs[0].in_domain.split("/")[0].rpartition(" ")[0]

    @property
    def protocol_differences(self) -> list[str]:
        """What differs between the runs' protocols; such runs stand together only when asked to."""
        return protocol_differences(self.runs)

    @property
    def miniature(self) -> bool:
        """Whether the figures are a miniature's; either witness is enough."""
        return bool(self.data.get("miniature")) or self.dataset.startswith(MINIATURE_PREFIX)


def write_reproduction(
    folder: Path, runs: Sequence[Path], data: dict[str, Any], *, any_protocol: bool = False
) -> Reproduction:
    """Judge the claims over finished runs and write the reproduction's results.json.

    Args:
        folder: Of the reproduction.
        runs: Run folders, or folders of run folders, within `folder` or elsewhere.
        data: The `data` block: name, miniature, kind, compression, videos, crops, …
        any_protocol: Take runs of different protocols; the differences are told beside them.

    Raises:
        InputError: No run, one that cannot be read, or runs over different test videos or of
            different protocols.
    """
    found = ladder_order([run for path in runs for run in find_runs(path)])
    check_comparable(found, any_protocol=any_protocol)
    claims = judge_claims(found)
    entries = [_entry(run, folder) for run in found]
    write_results(folder / "results.json", {"runs": entries, "claims": claims, "data": data})
    return read_reproduction(folder)


def is_reproduction(folder: Path) -> bool:
    """Whether a folder holds the results of a reproduction, and not of one run or none.

    Raises:
        InputError: It holds results that cannot be read.
    """
    return (folder / "results.json").is_file() and "runs" in read_results(folder)


def read_reproduction(folder: Path) -> Reproduction:
    """Read a reproduction's folder.

    Raises:
        InputError: It holds none, or one cut short or of another version.
    """
    results = read_reproduction_results(folder)
    runs = [
        Run(folder / str(entry.get("folder", entry["run"]["name"])), entry)
        for entry in results["runs"]
    ]
    if not runs:
        msg = f"{folder}: a reproduction without a run, expected one at least: run reproduce again"
        raise InputError(msg)
    return Reproduction(folder, runs, results["claims"], results["data"])


def _entry(run: Run, folder: Path) -> dict[str, Any]:
    entry = {key: value for key, value in run.results.items() if key != "folder"}
    if run.folder.resolve() != (folder / run.name).resolve():
        entry["folder"] = os.path.relpath(run.folder.resolve(), folder.resolve())
    return entry


def check_comparable(runs: Sequence[Run], *, any_protocol: bool, test: str | None = None) -> None:
    """One table holds one data set, one protocol, and one run a method and seed.

    Args:
        runs: Of the table.
        any_protocol: Take runs of different protocols.
        test: Key of the test set that all were tested on; each run's own where not given.

    Raises:
        InputError: What differs is named.
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
                f"{runs[0].in_domain}; expected one data set in a table: report them apart"
            )
            raise InputError(msg)
        other = seen.setdefault((run.method, run.seed), run)
        if other is not run:
            msg = (
                f"{run.folder}: {run.method} with seed {run.seed} is also in {other.folder}; "
                "expected one run a method and seed: leave one out"
            )
            raise InputError(msg)
    if not any_protocol:
        check_same_protocol(runs)
