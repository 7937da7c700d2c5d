from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.main import main
from datamodules.crops.store import ExtractionSettings
from datamodules.layouts.video_list import scan_list
from errors import InputError
from experiments.extraction import plan_extraction
from tests.support.runs import refused

HEADER = "path,label,method,split,identity,source"
ROWS = (
    "real/a.mp4,0,original,train,anna,",
    "real/b.mp4,0,original,test,bo,bo",
    "swap/a.mp4,1,swap,train,anna,cy",
    "swap/b.mp4,1,swap,test,bo,cy",
)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a list, and empty files for the paths of ROWS."""

    def write(*rows: str, header: str = HEADER) -> Path:
        for row in ROWS:
            video = tmp_path / row.partition(",")[0]
            video.parent.mkdir(exist_ok=True)
            video.touch()
        file = tmp_path / "mine.csv"
        file.write_text("\n".join((header, *rows)) + "\n")
        return file

    return write


def test_a_row_is_a_video(write: Write, tmp_path: Path) -> None:
    rows = [f"{row},{tone}" for row, tone in zip(ROWS, ("light", "dark", "light", ""), strict=True)]
    layout = scan_list(write(*rows, header=f"{HEADER},skin_tone"))
    first, second, _, last = layout.records
    assert (first.dataset, first.compression, first.video) == ("mine", "release", "a")
    assert (first.label, first.split, first.path) == (0, "train", tmp_path / "real" / "a.mp4")
    assert (first.target, first.source, first.slices) == ("anna", None, {"skin_tone": "light"})
    assert (second.target, second.source) == ("bo", None)
    assert (last.target, last.source, last.slices) == ("bo", "cy", {"skin_tone": ""})
    assert layout.lines() == []


def test_names_can_be_given_and_absolute_paths_lie_anywhere(write: Write, tmp_path: Path) -> None:
    header = f"{HEADER},dataset,compression,video"
    row = f"{tmp_path}/real/a.mp4,0,original,test,,,Mine 2,c40,first"
    layout = scan_list(write(row, header=header))
    record = layout.records[0]
    assert (record.dataset, record.compression, record.video) == ("Mine 2", "c40", "first")
    assert record.target is None
    assert "1 videos are of unknown identity" in layout.lines()[0]
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert scan_list(tmp_path / "mine.csv", tmp_path / "link").records == layout.records
    with pytest.raises(InputError, match=r"1 rows outside .*swap, first in line 2"):
        scan_list(tmp_path / "mine.csv", tmp_path / "swap")


def test_a_link_to_itself_outside_the_root_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="1 rows outside"):
        scan_list(write("../loop/a.mp4,0,original,test,,"), tmp_path / "real")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("none.mp4,0,original,train,anna,", "1 rows without a video, first in line 6: 'none.mp4'"),
        ("real/../real/a.mp4,0,other,train,anna,", "1 rows with the path of another"),
        ("x/a.mp4,0,original,train,anna,", "with the video of another, .*add a column video"),
        ("x.mp4,2,original,train,anna,", "with another label, .*'2'; use 0, 1"),
        ("x.mp4,0,original,dev,anna,", "with another split, .*use train, val, test"),
        ("x.mp4,0,a/b,train,anna,", "unusable method, .*'a/b'"),
        ("x.mp4,0,,train,anna,", "unusable method, .*''"),
        (",0,original,train,anna,", "1 rows without a valid path"),
        ("a\0b/x.mp4,0,original,train,anna,", r"without a valid path, .*'a\\x00b/x.mp4'"),
        ("x.mp4,0,original,train,anna,bo", "real videos with another source, .*'bo'"),
        ("x.mp4,0,original,val,anna,", r"1 identities are in two splits, first 'anna' .*train and"),
        ("x.mp4,1,swap,train,cy,bo", r"2 identities are in two splits, first 'bo' of mine \("),
        ("x.mp4,0,original,train", "line 6: 4 values, expected 6"),
        ('"x.mp4,0,original,train,anna,', "line 6: unexpected end of data"),
    ],
)
def test_a_wrong_row_is_named(write: Write, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        scan_list(write(*ROWS, row))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace("method", "methods"), "unknown column methods: did you mean method"),
        (HEADER.replace("label", "Label"), "unknown column Label: did you mean label"),
        (f"{HEADER},compresion", "unknown column compresion: did you mean compression"),
        (f"{HEADER},target", "column target: the manifest has a column of this name"),
        (f"{HEADER},", "a column has no name"),
        (f"{HEADER},path", "two columns path"),
        (HEADER.replace(",source", ""), "no column source"),
        ("", "no column path, label, method, split, identity, source"),
    ],
)
def test_a_wrong_column_is_named(write: Write, header: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        scan_list(write(*ROWS, header=header))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | st.text().map(lambda text: f"{HEADER}\n{text}".encode()))
def test_any_other_list_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.csv"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        scan_list(file)
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_is_written_for_a_bad_list(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "crops"
    file = write(*ROWS, "none.mp4,0,original,train,anna,")
    assert "without a video" in refused(["extract", f"--list={file}", f"--out={out}"], capsys)
    assert "neither --root nor --list" in refused(["extract", f"--out={out}"], capsys)
    argv = ["extract", f"--list={file}", f"--out={out}", "--methods", "Deepfakes"]
    assert "only be selected for FaceForensics++" in refused(argv, capsys)
    assert not out.exists()
    with pytest.raises(SystemExit, match="1"):
        main(["doctor", f"--list={file}", "--num_workers=1"])
    printed = capsys.readouterr().out
    assert "mine release: 1 listed videos are missing" in printed
    assert "original/none" in printed


def test_a_data_set_can_be_named_but_not_hidden(write: Write, tmp_path: Path) -> None:
    small, out = ExtractionSettings(64, 1.3, 3), tmp_path / "crops"
    named = plan_extraction(None, out, small, video_list=write(*ROWS), dataset="Other")
    assert {record.dataset for record in named.pending} == {named.layout.dataset} == {"Other"}
    header = f"{HEADER},dataset"
    for datasets, name, message in (
        (("mini-A",), "A", "mini-A is a miniature, expected a name like mini-A"),
        (("A",), "a/b", "expected a name of 1 to 200 characters"),
        (("A", "B"), "C", "the videos are of A and B, expected one data set"),
    ):
        rows = [f"{row},{name}" for row, name in zip(ROWS, datasets, strict=False)]
        with pytest.raises(InputError, match=message):
            plan_extraction(None, out, small, video_list=write(*rows, header=header), dataset=name)
