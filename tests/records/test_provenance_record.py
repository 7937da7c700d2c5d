import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InputError
from records.folder import RunFolder
from records.provenance import read_provenance
from tests.support.damage import damaged, edited, reads_or_is_refused
from tests.support.ladder_on_disk import frame_scores, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    scores = frame_scores(1.0, 0, identities=4, frames=1)
    return RunFolder(write_run(tmp_path_factory.mktemp("runs"), "student", seed=3, scores=scores))


@pytest.fixture(scope="module")
def content(run: RunFolder) -> bytes:
    return run.provenance.read_bytes()


def test_provenance_reads_back(run, content) -> None:
    run.provenance.write_bytes(content)
    record = read_provenance(run)
    assert (record.seed, record.machine.instruction_set) == (3, "AVX2")


def test_a_missing_field_is_named(run, content) -> None:
    run.provenance.write_bytes(content.replace(b'"instruction_set"', b'"instructions"'))
    with pytest.raises(InputError, match=r"`instruction_set` - at `\$\.machine`"):
        read_provenance(run)


@given(data=st.data())
def test_an_edited_or_damaged_file_reads_or_is_refused(run, content, data) -> None:
    whole = st.builds(json.dumps, edited(json.loads(content))).map(str.encode)
    run.provenance.write_bytes(data.draw(whole | damaged(content)))
    reads_or_is_refused(lambda: read_provenance(run), run.provenance)
