"""Damaged split files, lists, names and files, through `two-in-one extract` and `doctor`."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import main
from tests.support.runs import refused

Tree = Callable[..., Path]


def dangle(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


CONTENTS: dict[str, Callable[[Path], object]] = {
    "not JSON": lambda path: path.write_text("[["),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe[]"),
    "empty": Path.touch,
    "of another shape": lambda path: path.write_text('{"071": "054"}'),
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a dangling link": dangle,
    "in two splits": lambda path: path.write_text('[["071", "672"]]'),
}


def refused_by_both(root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The error of extract, which must be that of doctor too."""
    out = root.with_name("crops")
    message = refused(["extract", f"--root={root}", f"--out={out}"], capsys)
    assert not out.exists()
    assert refused(["doctor", f"--root={root}", "--num_workers=1"], capsys) == message
    return message


@pytest.mark.parametrize("content", CONTENTS)
def test_a_damaged_split_file_is_named(
    ffpp_tree: Tree, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    root = ffpp_tree()
    (root / "val.json").unlink()
    CONTENTS[content](root / "val.json")
    out = root.with_name("crops")
    message = refused(["extract", f"--root={root}", f"--out={out}"], capsys)
    assert not out.exists()
    assert ("071 is in two splits" if content == "in two splits" else f"{root}/val.json") in message
    with pytest.raises(SystemExit, match="1"):
        main(["doctor", f"--root={root}", "--json", "--num_workers=1"])
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["kind"] == "layout"
    assert f"error: {finding['message']}" == message


@pytest.mark.parametrize(
    "content",
    [
        b"1 YouTube-real/00170.mp4\n00171.mp4",
        b"path label",
        b"2 YouTube-real/00170.mp4",
        b"1 elsewhere/00170.mp4",
        b"0 YouTube-real/00170.mp4",
        b"\xff\xfe",
        b"1 YouTube-real/00170.mp4\0",
        None,
    ],
)
def test_a_damaged_list_is_named(
    celeb_df_tree: Tree, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    root = celeb_df_tree()
    file = root / "List_of_testing_videos.txt"
    if content is None:
        file.unlink()
        os.mkfifo(file)
    else:
        file.write_bytes(content)
    assert f"{file}" in refused_by_both(root, capsys)


@pytest.mark.parametrize("folder", ["Celeb-real", "real"])
def test_a_name_that_is_not_utf8_is_refused(
    tmp_path: Path, celeb_df_tree: Tree, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    root = celeb_df_tree() if folder == "Celeb-real" else tmp_path / "mine"
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / os.fsdecode(b"caf\xe9.mp4")).touch()
    assert "the name is not UTF-8; rename it" in refused_by_both(root, capsys)


@pytest.mark.parametrize("make", [None, Path.touch, Path.mkdir, os.mkfifo, dangle])
def test_a_root_that_is_no_data_set_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], object] | None,
) -> None:
    if make is not None:
        make(tmp_path / "root")
    assert f"{tmp_path / 'root'}: " in refused_by_both(tmp_path / "root", capsys)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (dangle, "a link to a file that does not exist"),
        (os.mkfifo, "not a regular file"),
        (Path.mkdir, "not a regular file"),
        (Path.touch, "empty file"),
    ],
)
def test_doctor_lists_files_that_are_no_videos(
    ffpp_tree: Tree,
    celeb_df_tree: Tree,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], object],
    reason: str,
) -> None:
    videos = (
        (ffpp_tree(), "original_sequences/youtube/c23/videos/071.mp4", "c23/original/071"),
        (celeb_df_tree(), "Celeb-real/id7_0000.mp4", "release/Celeb-real/id7_0000"),
    )
    for root, file, name in videos:
        (root / file).unlink(missing_ok=True)
        make(root / file)
        with pytest.raises(SystemExit, match="1"):
            main(["doctor", f"--root={root}", "--json", "--num_workers=1"])
        findings = json.loads(capsys.readouterr().out)["findings"]
        unreadable = next(one for one in findings if one["kind"] == "unreadable")
        assert f"{name}: {reason}" in unreadable["videos"]
