"""Celeb-DF++, DFDC, its preview and DeeperForensics-1.0: miniature twins of their trees."""

import json
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from cli.main import main
from datamodules.layouts.celeb_df_pp import LISTED, SCENARIOS
from datamodules.layouts.detect import read_layout
from datamodules.layouts.layout import Layout
from errors import InputError
from tests.support.runs import refused
from tests.support.twins import TWINS


@pytest.fixture(scope="module")
def trees(tiny_ffpp: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The trees by data set, of four people."""
    folder = tmp_path_factory.mktemp("twins")
    parts = "original_sequences/youtube", "manipulated_sequences/Deepfakes"
    real, fake = (sorted((tiny_ffpp / part / "c23" / "videos").iterdir()) for part in parts)
    videos = list(zip(real[:4], fake[:4], strict=True))
    return {name: make(folder / name, videos) for name, make in TWINS.items()}


@pytest.fixture
def tree(trees: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the tree of a data set, to damage."""
    return shutil.copytree(trees[request.param], tmp_path / request.param)


def on(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("tree", [name], indirect=True)


def by_split(layout: Layout) -> dict[tuple[str, str], int]:
    return dict(Counter((record.method, record.split) for record in layout.records))


@pytest.mark.parametrize("name", TWINS)
def test_the_data_set_is_known_and_doctor_reads_every_video(
    trees: dict[str, Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = read_layout(trees[name], "c23")
    assert layout.dataset == name
    assert not layout.missing_videos + layout.missing_methods
    assert {record.compression for record in layout.records} == {"release"}
    argv = ["doctor", f"--root={trees[name]}", "--json", "--num_workers=1"]
    with suppress(SystemExit):  # a split with one class is an error
        main(argv)
    report = json.loads(capsys.readouterr().out)
    assert sum(row["whole"] for row in report["videos"]) == len(layout.records)
    kinds = {finding["kind"] for finding in report["findings"] if finding["level"] == "error"}
    assert kinds <= {"class"}
    argv = ["extract", f"--root={trees[name]}", f"--out={trees[name]}-crops", "--methods", "Swap"]
    assert refused(argv, capsys)
    assert not Path(f"{trees[name]}-crops").exists()


def test_celeb_df_pp_has_22_methods_in_three_scenarios(trees: dict[str, Path]) -> None:
    layout = read_layout(trees["Celeb-DF++"], "c23")
    fakes = [record for record in layout.records if record.label]
    assert len({record.method for record in fakes}) == 22
    assert Counter(record.slices["scenario"] for record in fakes) == {
        "FaceSwap": 8, "FaceReenact": 7, "TalkingFace": 7,
    }  # fmt: skip
    assert {record.split for record in fakes} == {"test"}
    assert {(record.target, record.source) for record in fakes} == {("id0", "id1")}
    reals = {record.video: record for record in layout.records if not record.label}
    assert reals["id0_0000"].split == "test"
    assert reals["id1_0000"].split == "train"
    assert reals["00170"].target is None
    assert sum(LISTED.values()) == 178 + 8 * 200 + 7 * 200 + 7 * 300
    assert "the published list 108; 24 of 24 methods differ" in layout.lines()[0]
    assert sum(map(len, SCENARIOS.values())) == 22


@on("Celeb-DF++")
def test_what_celeb_df_pp_lacks_is_named(tree: Path) -> None:
    shutil.rmtree(tree / "Celeb-synthesis/TalkingFace/FLOAT")
    (tree / "Celeb-synthesis/FaceSwap/Celeb-DF").rename(
        tree / "Celeb-synthesis/FaceSwap/Celeb-DF-v2"
    )
    layout = read_layout(tree, "c23")
    assert layout.missing_methods == ("FLOAT",)
    assert [video.split("/")[0] for video in layout.missing_videos] == ["FLOAT"]
    with (tree / "List_of_testing_videos.txt").open("a") as file:
        file.write("0 Celeb-synthesis/FaceSwap/Other/id0_id1_0000.mp4\n")
    with pytest.raises(InputError, match=r"line 25: .* is not like '1 YouTube-real"):
        read_layout(tree, "c23")


def test_dfdc_groups_a_fake_with_its_original(trees: dict[str, Path]) -> None:
    layout = read_layout(trees["DFDC"], "c23")
    assert by_split(layout) == {
        ("original", "train"): 3, ("DFDC", "train"): 3,
        ("original", "test"): 1, ("DFDC", "test"): 1,
    }  # fmt: skip
    fakes = {record.video: record for record in layout.records if record.label}
    assert (fakes["fake1"].target, fakes["fake3"].target) == ("real1", None)
    assert "identities are not published" in layout.lines()[0]


@on("DFDC")
def test_a_damaged_dfdc_is_refused_or_named(tree: Path) -> None:
    (tree / "dfdc_train_part_1" / "fake1.mp4").unlink()
    (tree / "dfdc_train_part_2").rename(tree / "dfdc_train_part_10")
    (tree / "train").mkdir()
    (tree / "dfdc_train_part_10").rename(tree / "train" / "dfdc_train_part_10")
    layout = read_layout(tree, "c23")
    assert layout.missing_videos == ("DFDC/fake1",)  # as the ledger names it once it is found
    assert "DFDC: listed videos are missing from dfdc_train_part_1" in layout.lines()
    assert len(layout.records) == 7
    (tree / "test" / "labels.csv").write_text("filename,label\nreal3.mp4,FAKE\n")
    with pytest.raises(InputError, match=r"labels.csv, line 2: .*label, 1 for fakes"):
        read_layout(tree, "c23")
    (tree / "test" / "labels.csv").write_text("filename,label\n" + "real3.mp4,0\n" * 2)
    with pytest.raises(InputError, match=r"real3.mp4: .*real3.mp4 has the same name"):
        read_layout(tree, "c23")
    (tree / "dfdc_train_part_0" / "metadata.json").write_text('{"../a.mp4": {"label": "REAL"}}')
    with pytest.raises(InputError, match="is not the name of a video"):
        read_layout(tree, "c23")
    (tree / "dfdc_train_part_0" / "metadata.json").unlink()
    with pytest.raises(InputError, match=r"metadata.json: no such file"):
        read_layout(tree, "c23")


def test_the_preview_has_the_sets_of_its_json(trees: dict[str, Path]) -> None:
    layout = read_layout(trees["DFDC-preview"], "c23")
    assert by_split(layout) == {
        ("original", "train"): 2, ("original", "test"): 2,
        ("method_A", "train"): 1, ("method_A", "test"): 1,
        ("method_B", "train"): 1, ("method_B", "test"): 1,
    }  # fmt: skip


@on("DFDC-preview")
@pytest.mark.parametrize(
    ("name", "label", "message"),
    [
        ("method_A/x/y.mp4", "real", "'method_A/x/y.mp4', real, is not like"),
        ("method_A/../y.mp4", "fake", "is not like"),
        ("method_C/y.mp4", "fake", "is not like"),
        ("method_A/y.mp4", "maybe", "Invalid enum value"),
    ],
)
def test_a_wrong_entry_of_the_preview_is_named(
    tree: Path, name: str, label: str, message: str
) -> None:
    (tree / "dataset.json").write_text(json.dumps({name: {"label": label, "set": "test"}}))
    with pytest.raises(InputError, match=message):
        read_layout(tree, "c23")


def test_deeper_forensics_shows_the_targets_of_faceforensics(trees: dict[str, Path]) -> None:
    layout = read_layout(trees["DeeperForensics-1.0"], "c23")
    counts = {("original", "train"): 2, ("original", "val"): 1, ("original", "test"): 1}
    counts |= {("end_to_end", split): count for (_, split), count in counts.items()}
    assert by_split(layout) == counts
    fake = next(record for record in layout.records if record.video == "001_W102")
    assert (fake.target, fake.source, fake.label) == ("001", "W102", 1)


def test_a_variant_named_twice_is_read_once(trees: dict[str, Path]) -> None:
    root = trees["DeeperForensics-1.0"]
    assert read_layout(root, "c23", ["end_to_end"] * 2) == read_layout(root, "c23")


@on("DeeperForensics-1.0")
def test_what_deeper_forensics_lacks_is_named(tree: Path) -> None:
    shutil.copytree(
        tree / "manipulated_videos/end_to_end", tree / "manipulated_videos/end_to_end_level_3"
    )
    shutil.rmtree(tree / "original_sequences")
    layout = read_layout(tree, "c23", ["end_to_end_level_3", "reenact_postprocess"])
    assert {record.method for record in layout.records} == {"end_to_end_level_3"}
    assert layout.missing_methods == ("reenact_postprocess", "original")
    assert "link FaceForensics++'s original_sequences" in layout.lines()[0]
    with pytest.raises(InputError, match="no manipulated_videos/reenact_postprocess"):
        read_layout(tree, "c23", ["reenact_postprocess"])
    (tree / "lists/splits/val.txt").write_text("000_M101.mp4\n")
    with pytest.raises(InputError, match=r"val.txt, line 1: .* is also in train.txt"):
        read_layout(tree, "c23")
    (tree / "lists/splits/val.txt").write_text("000.mp4\n")
    with pytest.raises(InputError, match=r"line 1: '000.mp4' is not like"):
        read_layout(tree, "c23")
