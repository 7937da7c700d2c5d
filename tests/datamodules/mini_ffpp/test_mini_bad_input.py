import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.main import main
from datamodules.mini_ffpp.miniature import MARKER, UNFINISHED, VERSION, read_miniature
from tests.support.damage import damaged, edited, reads_or_is_refused
from tests.support.runs import refused

Capture = pytest.CaptureFixture[str]


def files_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize(
    "option",
    [
        "--train=0",
        "--train=-2",
        "--train=1002",
        "--train=four",
        "--val=3",
        "--test=-2",
        "--frames=0",
        "--frames=1",
        "--frames=-8",
        "--size=0",
        "--size=-256",
        "--size=255",
        "--size=2048",
        "--strength=-1",
        "--strength=nan",
        "--strength=inf",
        "--seed=-1",
        "--seed=100000000000000000000",
        "--workers=0",
        "--celebrities=7",
        "--celebrities=0",
        "--compressions=raw",
    ],
)
def test_a_value_out_of_range_is_refused_before_anything_is_written(
    option: str, tmp_path: Path, capsys: Capture
) -> None:
    line = refused(["mini-ffpp", f"--out={tmp_path / 'mini'}", option], capsys)
    assert option.split("=")[0].strip("-") in line
    assert not files_below(tmp_path)


def test_more_people_than_ids_are_refused(tmp_path: Path, capsys: Capture) -> None:
    argv = ["mini-ffpp", f"--out={tmp_path / 'mini'}", "--train=900", "--val=100"]
    assert "1060 people in all: expected at most 1000" in refused(argv, capsys)
    assert not files_below(tmp_path)


@pytest.mark.parametrize("option", ["out", "celeb_df"])
@pytest.mark.parametrize("kind", ["a file", "below a file", "a dangling link", "other files"])
def test_an_unusable_folder_is_refused_before_anything_is_written(
    kind: str, option: str, tmp_path: Path, capsys: Capture
) -> None:
    file, link, work = tmp_path / "file", tmp_path / "link", tmp_path / "work"
    file.write_text("years of work")
    link.symlink_to(tmp_path / "nowhere")
    work.mkdir()
    (work / "thesis.tex").write_text("years of work")
    folder, reason = {
        "a file": (file, "not a folder"),
        "below a file": (file / "mini", "not a folder"),
        "a dangling link": (link, "not a folder"),
        "other files": (work, "holds something other than a miniature"),
    }[kind]
    folders = {"out": tmp_path / "mini", "celeb_df": tmp_path / "celeb"} | {option: folder}
    before = files_below(tmp_path)
    line = refused(["mini-ffpp", *(f"--{k}={v}" for k, v in folders.items())], capsys)
    assert str(folder) in line
    assert reason in line
    assert files_below(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("mode", [0o500, 0])
def test_a_folder_without_permissions_is_refused(
    mode: int, tmp_path: Path, capsys: Capture
) -> None:
    tmp_path.chmod(mode)
    assert "not writable" in refused(["mini-ffpp", f"--out={tmp_path / 'mini'}"], capsys)


def test_one_data_set_inside_the_other_is_refused(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "mini"
    argv = ["mini-ffpp", f"--out={out}", f"--celeb_df={out / 'celeb'}"]
    assert "neither inside nor around" in refused(argv, capsys)


def test_other_settings_are_named(
    small_ffpp: Path, tmp_path: Path, capsys: Capture, small_options: list[str]
) -> None:
    argv = ["mini-ffpp", f"--out={small_ffpp}", f"--celeb_df={tmp_path / 'celeb'}"]
    line = refused([*argv, *small_options, "--frames=6", "--seed=1"], capsys)
    assert "seed 0 instead of 1, frames 4 instead of 6" in line
    assert not files_below(tmp_path)


@pytest.fixture
def marked(tmp_path: Path, small_ffpp: Path) -> Path:
    """A folder with nothing but the record of a complete miniature."""
    out = tmp_path / "mini"
    out.mkdir()
    shutil.copy(small_ffpp / MARKER, out)
    return out


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[:100], "cut short or not JSON"),
        (lambda text: "", "cut short or not JSON"),
        (lambda text: "[]", "Expected `object`"),
        (lambda text: text.replace('"seed": 0', '"seed": "zero"'), "$.seed"),
        (lambda text: text.replace('"frames": 4', '"frames": [4]'), "$.parameters"),
        (lambda text: text.replace('"auc"', '"area"'), "missing required field `auc`"),
        (
            lambda text: text.replace(f'"version": {VERSION}', '"version": 2'),
            f"version 2 instead of {VERSION}",
        ),
        (lambda text: text.replace('"bottleneck"', '"neck"'), "other amounts"),
    ],
)
@pytest.mark.parametrize("name", [MARKER, UNFINISHED])
def test_a_damaged_or_edited_record_is_refused(
    damage: Callable[[str], str],
    reason: str,
    name: str,
    marked: Path,
    small_options: list[str],
    capsys: Capture,
) -> None:
    if name == UNFINISHED and "auc" in reason:
        pytest.skip("an unfinished miniature has no confound control")
    (marked / MARKER).rename(marked / name)
    (marked / name).write_text(damage((marked / name).read_text()))
    before = files_below(marked.parent)
    line = refused(["mini-ffpp", f"--out={marked}", *small_options], capsys)
    assert str(marked) in line
    assert reason in line
    assert files_below(marked.parent) == before


@pytest.mark.parametrize("kind", ["folder", "FIFO", "dangling link", "not UTF-8"])
def test_a_record_that_is_no_text_file_is_refused(
    kind: str, marked: Path, small_options: list[str], capsys: Capture
) -> None:
    path = marked / MARKER
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "dangling link":
        path.symlink_to(marked / "nowhere")
    else:
        path.write_bytes(b"\xff\xfe{}")
    assert str(path) in refused(["mini-ffpp", f"--out={marked}", *small_options], capsys)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_the_reader_reads_or_refuses_in_one_line(marked: Path, data: st.DataObject) -> None:
    path = marked / MARKER
    content = path.read_bytes()
    changed = data.draw(damaged(content) | edited(json.loads(content)).map(json.dumps))
    try:
        path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
        reads_or_is_refused(lambda: read_miniature(marked), path)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "No such file"),
        ("file", "Not a directory"),
        ("FIFO", "Not a directory"),
        ("dangling link", "No such file"),
        ("empty", "0 people"),
        ("no videos", "0 people"),
        ("five people", "5 people"),
    ],
)
def test_an_unusable_folder_of_faces_is_refused_before_anything_is_written(
    kind: str, reason: str, tmp_path: Path, capsys: Capture
) -> None:
    faces = tmp_path / "faces"
    if kind == "file":
        faces.write_text("")
    elif kind == "FIFO":
        os.mkfifo(faces)
    elif kind == "dangling link":
        faces.symlink_to(tmp_path / "nowhere")
    elif kind != "missing":
        faces.mkdir()
    if kind == "no videos":
        for number in range(6):
            os.mkfifo(faces / f"{number}.mp4")
            (faces / f"{number}.mov").symlink_to(faces / "nowhere")
            (faces / f"{number}.avi").mkdir()
            (faces / f"{number}.txt").write_text("text")
    elif kind == "five people":
        for number in range(4):
            (faces / f"{number}{'.mp4' if number % 2 else '.jpg'}").write_text("text")
        (faces / "fifth").mkdir()
        for number in range(6):
            (faces / "fifth" / f"{number}.png").write_text("text")
    before = files_below(tmp_path)
    line = refused(["mini-ffpp", f"--out={tmp_path / 'mini'}", f"--faces={faces}"], capsys)
    assert f"--faces {faces}" in line
    assert reason in line
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("folder", ["", "anna"])
def test_a_face_whose_name_is_not_utf8_is_refused_before_anything_is_written(
    folder: str, tmp_path: Path, capsys: Capture
) -> None:
    faces = tmp_path / "faces"
    (faces / folder).mkdir(parents=True)
    for number in range(6):
        (faces / f"{number}.jpg").write_text("text")
    (faces / folder / os.fsdecode(b"caf\xe9.jpg")).write_text("text")
    line = refused(["mini-ffpp", f"--out={tmp_path / 'mini'}", f"--faces={faces}"], capsys)
    assert "the name is not UTF-8; rename it" in line
    assert not (tmp_path / "mini").exists()


def test_more_real_people_than_ids_are_refused(tmp_path: Path, capsys: Capture) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    for number in range(1001):
        (faces / f"{number}.jpg").write_text("text")
    line = refused(["mini-ffpp", f"--out={tmp_path / 'mini'}", f"--faces={faces}"], capsys)
    assert "1001 people" in line
    assert not (tmp_path / "mini").exists()


def test_files_that_are_not_videos_are_named_and_nothing_remains(
    tmp_path: Path, capsys: Capture
) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    for number in range(6):
        (faces / f"{number}.mp4").write_text("text")
    os.mkfifo(faces / "6.mp4")
    before = files_below(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(["mini-ffpp", f"--out={tmp_path / 'mini'}", f"--faces={faces}", "--workers=1"])
    assert exit_.value.code == 2
    lines = " ".join(capsys.readouterr().err.split())
    assert "0.mp4: not used (unreadable: not a video" in lines
    assert "6.mp4: not used (unreadable: not a regular file)" in lines
    assert f"error: --faces {faces}: 0 usable people: expected at least 6" in lines
    assert files_below(tmp_path) == before
