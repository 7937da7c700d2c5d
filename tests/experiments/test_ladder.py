from pathlib import Path

import pytest
from msgspec import structs

from experiments.ladder import Ladder, Sources
from experiments.recipe import read_recipe

RUNGS = ["student", "spatial", "naive", "two-in-one"]


@pytest.fixture
def ladder() -> Ladder:
    sources = Sources(Path("mini"), [], Path("crops"), "c23")
    return Ladder(Path("runs"), sources, read_recipe("mini"), devices=1)


def test_the_rung_with_most_targets_starts_first_and_one_without_beside_it(ladder: Ladder) -> None:
    assert ladder.start_order(RUNGS) == ["naive", "student", "spatial", "two-in-one"]


def test_a_rung_that_names_no_targets_distils_all(ladder: Ladder, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("model: {init_args: {distance: cosine}}\nrun: {method: own}\n")
    assert ladder.start_order([*RUNGS, str(own)])[0] == str(own)


def test_without_shared_targets_the_order_is_that_of_the_rungs(ladder: Ladder) -> None:
    recipe = structs.replace(ladder.recipe, share_targets=False)
    alone = Ladder(ladder.folder, ladder.sources, recipe, devices=1)
    assert alone.start_order(RUNGS) == RUNGS
