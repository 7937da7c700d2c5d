"""The table across data sets: what runs trained on one reach on each."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.comparison.differences import Mean, check_same_videos, mean_over_runs
from evaluation.comparison.ladder import by_method
from evaluation.comparison.run import Run


@dataclass(frozen=True)
class TransferRow:
    """The runs of a method with one training set.

    Attributes:
        trained: Key of the test set of the training data, e.g. "FaceForensics++ c23/test".
        cells: Video AUC, mean over the runs, by test set; undefined where a run was not tested.
    """

    trained: str
    method: str
    seeds: list[int]
    cells: dict[str, Mean]


@dataclass(frozen=True)
class Transfer:
    """Rows by training set, columns by test set: those that are trained on come first."""

    tests: list[str]
    rows: list[TransferRow]


def transfer_table(runs: Sequence[Run]) -> Transfer | None:
    """Build the table of trained on x tested on; None if all runs were tested on one test set.

    Raises:
        InputError: Runs were tested on different videos of a test set.
    """
    trained = dict.fromkeys(run.protocol.test for run in runs)
    tested = dict.fromkeys(test for run in runs for test in run.metrics())
    tests = [test for test in trained | tested if test in tested]
    if len(tests) < 2:
        return None
    for test in tests:
        check_same_videos([run for run in runs if test in run.metrics()], test)
    rows = [
        TransferRow(
            trained=name,
            method=method,
            seeds=[run.seed for run in group],
            cells={test: mean_over_runs(group, "auc", test) for test in tests},
        )
        for name in trained
        for method, group in by_method([r for r in runs if r.protocol.test == name]).items()
    ]
    return Transfer(tests, rows)
