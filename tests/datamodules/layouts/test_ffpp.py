import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.layouts.detect import read_layout
from datamodules.layouts.ffpp import scan_ffpp
from errors import InputError

Tree = Callable[..., Path]


@pytest.mark.parametrize("youtube", ["youtube", "."])
@pytest.mark.parametrize("splits", [".", "splits"])
def test_older_and_newer_trees_hold_the_same_videos(
    ffpp_tree: Tree, youtube: str, splits: str
) -> None:
    records = scan_ffpp(ffpp_tree(youtube=youtube, splits=splits), "c23").records
    assert Counter(record.method for record in records) == {
        "original": 8,
        "Deepfakes": 8,
        "Face2Face": 8,
        "FaceSwap": 8,
        "NeuralTextures": 8,
    }
    assert all(record.path.is_file() for record in records)
    assert len({(record.method, record.video) for record in records}) == len(records)


def test_a_record_names_label_split_and_identities(ffpp_tree: Tree) -> None:
    layout = scan_ffpp(ffpp_tree(), "c23")
    records = {(one.dataset, one.method, one.video): one for one in layout.records}
    fake = records["FaceForensics++", "Deepfakes", "054_071"]
    assert (fake.label, fake.split, fake.target, fake.source) == (1, "train", "054", "071")
    real = records["FaceForensics++", "original", "974"]
    assert (real.label, real.split, real.target, real.source) == (0, "test", "974", None)


@pytest.mark.parametrize("folder", ["raw", "c0"])
@pytest.mark.parametrize("requested", ["raw", "c0"])
def test_raw_and_c0_are_one_compression(ffpp_tree: Tree, folder: str, requested: str) -> None:
    records = scan_ffpp(ffpp_tree(compression=folder), requested).records
    assert len(records) == 40
    assert {record.compression for record in records} == {"raw"}


def test_a_missing_method_is_reported_and_the_others_are_read(ffpp_tree: Tree) -> None:
    layout = scan_ffpp(ffpp_tree(methods=("Deepfakes", "FaceSwap")), "c23")
    assert {record.method for record in layout.records} == {"original", "Deepfakes", "FaceSwap"}
    assert layout.lines() == ["FaceForensics++: no folder for Face2Face, NeuralTextures"]


def test_a_missing_method_requested_by_name_is_an_error(ffpp_tree: Tree) -> None:
    root = ffpp_tree(methods=("Deepfakes",))
    with pytest.raises(InputError, match="no FaceSwap videos in c23"):
        scan_ffpp(root, "c23", ["Deepfakes", "FaceSwap"])


def test_a_missing_video_is_counted_and_listed(ffpp_tree: Tree) -> None:
    root = ffpp_tree()
    (root / "manipulated_sequences/FaceSwap/c23/videos/953_974.mp4").unlink()
    layout = scan_ffpp(root, "c23")
    assert len(layout.records) == 39
    assert layout.missing_videos == ("FaceSwap/953_974",)
    assert "1 listed videos are missing: FaceSwap/953_974" in layout.lines()[0]


def test_missing_split_files_say_where_the_official_ones_are(ffpp_tree: Tree) -> None:
    root = ffpp_tree()
    (root / "val.json").unlink()
    with pytest.raises(InputError, match=r"dataset/splits of the FaceForensics repository"):
        scan_ffpp(root, "c23")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[[", "cut short or not JSON"),
        (b'["071", "054"]', r"\$\[0\]"),
        (b"[[71, 54]]", r"\$\[0\]\[0\]"),
        (b'[["071", "054", "055"]]', "length 2"),
        (b'{"071": "054"}', "got `object`"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_malformed_split_file_is_named(ffpp_tree: Tree, content: bytes, reason: str) -> None:
    root = ffpp_tree()
    (root / "val.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"val\.json: .*{reason}.*expected a list of pairs"):
        scan_ffpp(root, "c23")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_other_split_file_is_refused_or_read(
    tmp_path: Path, ffpp_tree: Tree, content: bytes
) -> None:
    root = tmp_path / "ffpp"
    if not root.exists():
        ffpp_tree()
    (root / "val.json").write_bytes(content)
    try:
        scan_ffpp(root, "c23")
    except InputError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017  # it may also be read


def test_an_identity_in_two_splits_is_refused(ffpp_tree: Tree) -> None:
    root = ffpp_tree()
    (root / "val.json").write_text(json.dumps([["071", "672"]]))
    with pytest.raises(InputError, match="071 is in two splits"):
        scan_ffpp(root, "c23")


@pytest.mark.parametrize(
    ("compression", "methods", "message"),
    [
        ("c32", None, "compression 'c32' does not exist: did you mean c23"),
        ("c40", None, "no original videos in c40: expected .*; it has c23"),
        ("c23", ["Deepfake"], "did you mean Deepfakes"),
        ("c23", ["DeepFakeDetection"], "no actors videos in c23: expected .*/actors/c23/videos"),
    ],
)
def test_a_wrong_name_is_refused(
    ffpp_tree: Tree, compression: str, methods: list[str] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        scan_ffpp(ffpp_tree(), compression, methods)


def test_a_root_that_is_missing_or_not_ffpp_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_layout(tmp_path / "nowhere", "c23")
    with pytest.raises(InputError, match=r"no known data set; expected FaceForensics\+\+"):
        read_layout(tmp_path, "c23")
    with pytest.raises(InputError, match=r"not a FaceForensics\+\+ tree"):
        scan_ffpp(tmp_path, "c23")


def test_a_miniature_keeps_its_own_name(ffpp_tree: Tree) -> None:
    root = ffpp_tree()
    marker = root / "MINIATURE.json"
    marker.write_text('{"dataset": "mini-FaceForensics++"}')
    assert {record.dataset for record in scan_ffpp(root, "c23").records} == {"mini-FaceForensics++"}
    for content in ("{", "{}", '{"dataset": "FaceForensics++"}', '{"dataset": "mini-/../x"}'):
        marker.write_text(content)
        with pytest.raises(InputError, match=r"MINIATURE\.json: .*expected"):
            scan_ffpp(root, "c23")


def test_the_official_splits_give_the_official_counts(tmp_path: Path, shared: Path) -> None:
    shutil.copytree(shared / "reference" / "ffpp_splits", tmp_path / "splits")
    pairs = [
        pair
        for split in ("train", "val", "test")
        for pair in json.loads((tmp_path / "splits" / f"{split}.json").read_text())
    ]
    for method in ("FaceShifter", "original"):
        parent = "original_sequences" if method == "original" else f"manipulated_sequences/{method}"
        folder = tmp_path / parent / "c40" / "videos"
        folder.mkdir(parents=True)
        for a, b in pairs:
            for name in (a, b) if method == "original" else (f"{a}_{b}", f"{b}_{a}"):
                (folder / f"{name}.mp4").touch()
    records = scan_ffpp(tmp_path, "c40", ["FaceShifter"]).records
    assert Counter((record.label, record.split) for record in records) == {
        (label, split): count
        for label in (0, 1)
        for split, count in (("train", 720), ("val", 140), ("test", 140))
    }


def test_deepfakedetection_is_a_test_set_of_its_own(ffpp_tree: Tree) -> None:
    root = ffpp_tree()
    for folder, name in (
        ("original_sequences/actors", "28__outside_talking"),
        ("manipulated_sequences/DeepFakeDetection", "01_02__hugging__YVGY8LOK"),
    ):
        videos = root / folder / "c23" / "videos"
        videos.mkdir(parents=True)
        (videos / f"{name}.mp4").touch()
    both = scan_ffpp(root, "c23", ["Deepfakes", "DeepFakeDetection"]).records
    assert len(both) == 18
    for split in ("train", "val", "test"):
        (root / f"{split}.json").unlink()
    actor, fake = scan_ffpp(root, "c23", ["DeepFakeDetection"]).records
    assert {actor, fake} <= set(both)
    assert (actor.dataset, actor.label, actor.target, actor.source, actor.split) == (
        *("DeepFakeDetection", 0, "28", None, "test"),
    )
    assert (fake.dataset, fake.label, fake.target, fake.source) == (
        *("DeepFakeDetection", 1, "01", "02"),
    )
    (videos / "071_054.mp4").touch()
    with pytest.raises(InputError, match="expected names like 28__scene"):
        scan_ffpp(root, "c23", ["DeepFakeDetection"])


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(ffpp_tree: Tree) -> None:
    root = ffpp_tree()
    before = scan_ffpp(root, "c23").records
    for split in ("train", "val", "test"):
        path = root / f"{split}.json"
        text = json.dumps(json.loads(path.read_text()), indent=1).replace("\n", "\r\n")
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert scan_ffpp(root, "c23").records == before
