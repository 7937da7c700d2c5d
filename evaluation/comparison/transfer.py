"""The table across data sets: what runs trained on one reach on each."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.comparison.differences import check_same_videos, mean_over_runs
from evaluation.comparison.ladder import Estimate, by_method
from evaluation.comparison.run import Run
from evaluation.metrics.spread import interval


@dataclass(frozen=True)
class TransferRow:
    """The runs of a method with one training set.

    Attributes:
        trained: Key of the test set of the training data, e.g. "FaceForensics++ c23/test".
        cells: Video AUC, mean over the runs, by test set; None where a run was not tested.
    """

    trained: str
    method: str
    seeds: list[int]
    cells: dict[str, Estimate | None]


@dataclass(frozen=True)
class Transfer:
    """Rows by training set, columns by test set: those that are trained on come first."""

    tests: list[str]
    rows: list[TransferRow]


def transfer_table(runs: Sequence[Run]) -> Transfer | None:
    """Build the table of trained on x tested on; None if there is one of both.

    Raises:
        InputError: Runs were tested on different videos of a test set.
    """
    trained = dict.fromkeys(run.protocol.test for run in runs)
    tests = list(dict.fromkeys([*trained, *(name for run in runs for name in run.metrics())]))
    tests = [test for test in tests if any(test in run.metrics() for run in runs)]
    if len(tests) < 2:
        return None
    for test in tests:
        check_same_videos([run for run in runs if test in run.metrics()], test)
    rows = [
        TransferRow(
            trained=name,
            method=method,
            seeds=[run.seed for run in group],
            cells={test: _cell(group, test) for test in tests},
        )
        for name in trained
        for method, group in by_method([r for r in runs if r.protocol.test == name]).items()
    ]
    return Transfer(tests, rows)


def _cell(runs: Sequence[Run], test: str) -> Estimate | None:
    if any(test not in run.metrics() for run in runs):
        return None
    mean = mean_over_runs(runs, "auc", test)
    return Estimate(float(mean.mean), interval(mean)) if mean else Estimate(None, None)
