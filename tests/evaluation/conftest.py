from pathlib import Path

import pytest

from evaluation.comparison.reproduction import read_reproduction
from evaluation.report.report import ReportPaths, write_report
from tests.support.ladder_on_disk import write_ladder, write_run

LADDER = {"teacher": 2.6, "student": 1.5, "spatial": 1.8, "naive": 1.6, "two-in-one": 2.2}


@pytest.fixture(scope="session")
def one_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reproduction of one seed."""
    root = tmp_path_factory.mktemp("one-seed")
    folders = [write_run(root, method, separation=s) for method, s in LADDER.items()]
    write_ladder(root, folders)
    return root


@pytest.fixture(scope="session")
def one_report(one_seed: Path) -> ReportPaths:
    """The report of `one_seed`."""
    return write_report(read_reproduction(one_seed))


@pytest.fixture(scope="session")
def three_seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reproduction of three seeds with one teacher; one student has collapsed."""
    root = tmp_path_factory.mktemp("three-seeds")
    folders = [write_run(root, "teacher", separation=LADDER["teacher"])]
    for seed in range(3):
        for method in ("student", "spatial", "naive", "two-in-one"):
            collapsed = method == "student" and seed == 2
            separation = 0.0 if collapsed else LADDER[method]
            folders.append(write_run(root, method, seed, separation))
    write_ladder(root, folders)
    return root
