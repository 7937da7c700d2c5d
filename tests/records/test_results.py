"""A valid results.json reads back; a damaged or edited one is refused in one line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InputError
from records.files import write_record
from records.folder import RunFolder
from records.results import (
    read_reproduction_results,
    read_results,
    read_run_results,
)
from tests.support.damage import damaged, edited, reads_or_is_refused
from tests.support.ladder_on_disk import frame_scores, write_ladder, write_run


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small run, and a reproduction of it."""
    root = tmp_path_factory.mktemp("results")
    scores = frame_scores(1.0, 0, identities=4, frames=1, forgeries=("Deepfakes",))
    run = write_run(root, "teacher", scores=scores)
    write_ladder(root, [run])
    return {"run": run, "reproduction": root}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.mark.parametrize("kind", ["run", "reproduction"])
def test_results_read_back_as_written(folders, scratch, kind) -> None:
    results = read_results(folders[kind])
    write_record(RunFolder(scratch).results, results)
    assert read_results(scratch) == results
    assert RunFolder(scratch).results.read_bytes() == RunFolder(folders[kind]).results.read_bytes()


@pytest.mark.parametrize("kind", ["run", "reproduction"])
@given(data=st.data())
def test_a_file_with_one_edited_value_reads_or_is_refused(folders, scratch, kind, data) -> None:
    document = data.draw(edited(json.loads(RunFolder(folders[kind]).results.read_text())))
    path = RunFolder(scratch).results
    path.write_text(json.dumps(document))
    reads_or_is_refused(lambda: read_results(scratch), path)


@pytest.mark.parametrize("kind", ["run", "reproduction"])
@given(data=st.data())
def test_a_damaged_file_reads_or_is_refused(folders, scratch, kind, data) -> None:
    path = RunFolder(scratch).results
    path.write_bytes(data.draw(damaged(RunFolder(folders[kind]).results.read_bytes())))
    reads_or_is_refused(lambda: read_results(scratch), path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"version": 4, "run": {"na', "cut short or not JSON"),
        ("[" * 100_000, "Expected `object`"),
        ('{"version": 4, "x": ' + "[" * 100_000, "cut short or not JSON"),
        ('{"version": 3, "run": {}}', r"Invalid enum value 3 - at `\$.version`; expected .* 4"),
        ('{"accuracy": 1.0}', "missing required field `version`"),
        ("[1, 2]", "Expected `object`, got `array`"),
        ('{"version": 4, "run": {}}', r"missing required field `name` - at `\$.run`"),
        ('{"version": 4, "runs": 7}', r"Expected `array`, got `int` - at `\$.runs`"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy(tmp_path, content, message) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    RunFolder(tmp_path).results.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        read_results(tmp_path)
    assert str(caught.value).endswith("make it again with this version of the project")


def test_a_run_and_a_reproduction_are_not_taken_for_each_other(folders) -> None:
    with pytest.raises(InputError, match="holds a reproduction, expected one run"):
        read_run_results(folders["reproduction"])
    with pytest.raises(InputError, match="holds one run, expected a reproduction"):
        read_reproduction_results(folders["run"])


def test_the_remedy_is_the_command_that_tests_the_run_again(tmp_path) -> None:
    run = RunFolder(tmp_path)
    run.config.touch()
    with pytest.raises(InputError, match=f"two-in-one test -c {run.config} --ckpt_path {run.best}"):
        read_results(tmp_path)
