"""scores.csv: what is written is read, and a damaged table is refused in one line."""

import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InputError
from records.folder import RunFolder
from records.scores import COLUMNS, PEOPLE, WRITTEN, read_scores, write_scores
from tests.support.damage import damaged, reads_or_is_refused
from tests.support.ladder_on_disk import frame_scores


def table() -> pd.DataFrame:
    scores = frame_scores(1.0, 0, identities=3, frames=2)
    return scores.assign(target=scores["video"].str[:3], source="", split="test")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return RunFolder(tmp_path_factory.mktemp("run")).scores()


def test_scores_read_back_as_written_and_ids_stay_text(path) -> None:
    written = table()
    written["video"] = written["video"].replace({"000": "null"})  # an id, not a missing value
    write_scores(written, path)
    read = read_scores(path)
    pd.testing.assert_frame_equal(read, written[read.columns], check_dtype=False)
    assert set(read.columns) == {*COLUMNS, *PEOPLE}
    assert {"null", "001", "000_001"} <= set(read["video"])
    assert path.read_text().splitlines()[0] == ",".join(WRITTEN)


def changed(column: str, value: object) -> pd.DataFrame:
    wrong = table().astype({column: object})
    wrong.loc[5, column] = value
    return wrong


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (changed("score", float("nan")), "1 frames, the first is 7 of .* not finite"),
        (changed("score", float("inf")), "not finite"),
        (changed("score", 1.5), "outside 0 to 1"),
        (changed("score", -0.1), "outside 0 to 1"),
        (changed("score", "high"), "could not convert string"),
        (changed("label", 7), "a label other than 0 or 1"),
        (changed("label", 0), "another label than their video, expected one label per video"),
        (changed("label", "fake"), "expected a table of dataset"),
        (changed("frame", 0), "counted twice, expected each frame once"),
        (changed("frame", 10**30), "expected a table of dataset"),
    ],
)
def test_a_wrong_value_is_refused(path, scores, message) -> None:
    write_scores(scores, path)
    with pytest.raises(InputError, match=message) as caught:
        read_scores(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_not_such_a_table_is_refused(tmp_path) -> None:
    path = RunFolder(tmp_path).scores()
    with pytest.raises(InputError, match="no such file, expected a table of dataset"):
        read_scores(path)
    path.symlink_to(tmp_path / "gone.csv")
    with pytest.raises(InputError, match="a link to a file that does not exist"):
        read_scores(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="not a regular file"):
        read_scores(path)
    path.unlink()
    for content in (b"", b"score\n1.0\n", b"\xff\xfe\x00", b"a,b\n1,2,3\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="expected a table of dataset, compression"):
            read_scores(path)


@given(data=st.data())
def test_a_damaged_table_reads_or_is_refused(path, data) -> None:
    write_scores(table(), path)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    reads_or_is_refused(lambda: read_scores(path), path)
