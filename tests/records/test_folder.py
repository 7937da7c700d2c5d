from pathlib import Path

import pytest

from records.folder import RunFolder


@pytest.mark.parametrize(
    ("branch", "split", "name"),
    [
        (None, "test", "scores.csv"),
        (None, "val", "scores-val.csv"),
        ("spatial", "test", "scores-spatial.csv"),
        ("spatial", "val", "scores-spatial-val.csv"),
    ],
)
def test_a_table_of_scores_is_named_by_branch_and_split(branch, split, name) -> None:
    assert RunFolder(Path("runs/teacher-seed0")).scores(branch, split).name == name


def test_the_folder_of_a_checkpoint_is_two_levels_above_it() -> None:
    run = RunFolder(Path("runs/teacher-seed0"))
    assert RunFolder.of_checkpoint(run.best).path == run.path
