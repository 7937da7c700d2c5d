from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.crops.manifest import (
    NUMBERS,
    make_manifest,
    manifest_bytes,
    read_manifest,
    video_codes,
)
from datamodules.crops.selection import select_rows
from datamodules.layouts.record import SPLITS
from errors import InputError

Video = dict[str, Any]


def video(name: str, split: str, label: int, target: str = "", source: str = "") -> Video:
    method = "Deepfakes" if label else "original"
    return {
        "dataset": "d",
        "compression": "c23",
        "method": method,
        "video": name,
        "split": split,
        "label": label,
        "target": target,
        "source": source,
        "file": f"crops/{method}/{name}.blosc",
    }


# One real and one fake video of unknown people per split, so that every split can be selected.
BASE = [video(f"{split}-{label}", split, label) for split in SPLITS for label in (0, 1)]

videos = st.builds(
    video,
    name=st.sampled_from("ab"),
    split=st.sampled_from(SPLITS),
    label=st.sampled_from([0, 1]),
    target=st.sampled_from(["", "x", "y", "z"]),
    source=st.sampled_from(["", "x", "y", "z"]),
)


def manifest_of(described: list[Video]) -> Any:
    numbers = {name: np.zeros(len(described)) for name in NUMBERS if name != "label"}
    return make_manifest(described, [1] * len(described), numbers)


def leaks(first: Video, second: Video) -> bool:
    """Whether two crops of different splits share a video or a person, one of them developed on."""
    people = [{one["target"], one["source"]} - {""} for one in (first, second)]
    same_video = all(first[name] == second[name] for name in ("method", "video"))
    return first["split"] != second["split"] and (same_video or bool(people[0] & people[1]))


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.lists(videos, max_size=5))
def test_a_selection_is_refused_exactly_if_it_leaks(drawn: list[Video]) -> None:
    described = BASE + drawn
    manifest = manifest_of(described)
    parts = {"root": Path("store"), "manifest": manifest, "videos": video_codes(manifest)}
    store: Any = SimpleNamespace(**parts)
    options = dict.fromkeys(("test_compressions", "methods", "datasets", "test_datasets"))
    expected = any(leaks(*pair) for pair in combinations(described, 2))
    try:
        rows = select_rows(store, compressions=["c23"], **options)
    except InputError as error:
        assert expected, error  # noqa: PT017  # it may also be selected
        assert "in the splits" in str(error)  # noqa: PT017
    else:
        assert not expected
        assert sorted(np.concatenate(list(rows.values()))) == list(range(len(described)))


@pytest.fixture(scope="module")
def content() -> bytes:
    return manifest_bytes(manifest_of(BASE))


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_manifest_is_refused_in_one_line_or_read(
    tmp_path: Path, content: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(content)
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        damaged[position] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    (tmp_path / "manifest.parquet").write_bytes(damaged[:end])
    try:
        read_manifest(tmp_path)
    except InputError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017  # it may also be read
        assert str(tmp_path / "manifest.parquet") in str(error)  # noqa: PT017
