"""A reproduction: the runs of the ladder, the claims about them, and their data."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from msgspec.structs import replace

from errors import InputError
from evaluation.comparison.claims import judge_claims
from evaluation.comparison.ladder import Ladder, build_ladder, ladder_order
from evaluation.comparison.protocols import check_comparable, protocol_differences
from evaluation.comparison.run import Run
from evaluation.comparison.transfer import Transfer, transfer_table
from records.data_info import DataInfo
from records.files import write_record
from records.folder import RunFolder
from records.results import (
    VERSION,
    ClaimResult,
    ReproductionResults,
    RunResults,
    read_reproduction_results,
    read_results,
)

MINIATURE_PREFIX = "mini-"


@dataclass(frozen=True)
class Reproduction:
    """A set of runs with everything that a report shows; read and computed once, then passed on.

    Attributes:
        judged: Number of runs at each judging of the claims.
        elsewhere: Runs trained on other data than `runs`.
    """

    folder: Path
    runs: list[Run]
    claims: list[ClaimResult]
    data: DataInfo
    judged: list[int] = field(default_factory=list)
    elsewhere: list[Run] = field(default_factory=list)

    @cached_property
    def ladder(self) -> Ladder:
        """The table of the runs."""
        return build_ladder(self.runs)

    @cached_property
    def transfer(self) -> Transfer | None:
        """The table across data sets, of all runs."""
        return transfer_table([*self.runs, *self.elsewhere])

    @property
    def dataset(self) -> str:
        """Name of the data set of training and test."""
        return self.runs[0].protocol.dataset

    @property
    def protocol_differences(self) -> list[str]:
        """Differences between the runs' protocols."""
        return protocol_differences(self.runs)

    @property
    def miniature(self) -> bool:
        """Whether the data set is a miniature, by its description or by its name."""
        return self.data.miniature or self.dataset.startswith(MINIATURE_PREFIX)


def write_reproduction(
    folder: Path,
    runs: Sequence[Run],
    data: DataInfo,
    elsewhere: Sequence[Run] = (),
    *,
    any_protocol: bool = False,
) -> Reproduction:
    """Judge the claims over finished runs, and write the results.json of a reproduction's folder.

    The runs are in folders within `folder` or elsewhere; `any_protocol` allows different protocols.
    Runs `elsewhere` are trained on other data and shown in the table across data sets only.

    Raises:
        InputError: The runs are not comparable, or their scores cannot be read.
    """
    ordered = ladder_order(runs)
    check_comparable(ordered, any_protocol=any_protocol)
    claims = judge_claims(ordered)
    earlier: list[int] = []
    with suppress(InputError):  # there is none, or it is of another version
        earlier = read_reproduction_results(folder).judged
    looks = judged(earlier, len(ordered))
    results = ReproductionResults(
        version=VERSION,
        runs=[_entry(run, folder) for run in ordered],
        claims=claims,
        data=data,
        judged=looks,
        elsewhere=[_entry(run, folder) for run in elsewhere],
    )
    write_record(RunFolder(folder).results, results)
    return Reproduction(folder, ordered, claims, data, looks, list(elsewhere))


def judged(earlier: Sequence[int], runs: int) -> list[int]:
    """Return the number of runs at each judging and at this one; judging again is not counted."""
    return [*earlier] if earlier and earlier[-1] == runs else [*earlier, runs]


def find_reproduction(folder: Path) -> Reproduction | None:
    """Read a reproduction's folder; None if it holds one run, or no results.

    Raises:
        InputError: It holds results that cannot be read.
    """
    if not os.path.lexists(RunFolder(folder).results):
        return None
    results = read_results(folder)
    return _of(folder, results) if isinstance(results, ReproductionResults) else None


def read_reproduction(folder: Path) -> Reproduction:
    """Read a reproduction's folder; see `records.results.read_reproduction_results`."""
    return _of(folder, read_reproduction_results(folder))


def _of(folder: Path, results: ReproductionResults) -> Reproduction:
    runs, elsewhere = (
        [Run(folder / (entry.folder or entry.run.name), entry) for entry in entries]
        for entries in (results.runs, results.elsewhere)
    )
    return Reproduction(folder, runs, results.claims, results.data, results.judged, elsewhere)


def _entry(run: Run, folder: Path) -> RunResults:
    inside = run.folder.resolve() == (folder / run.name).resolve()
    elsewhere = None if inside else os.path.relpath(run.folder.resolve(), folder.resolve())
    return replace(run.results, folder=elsewhere)
