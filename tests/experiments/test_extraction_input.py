"""Wrong input of `two-in-one extract`: one line on stderr, status 2, and nothing written."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from experiments.extraction import ExtractionResult
from tests.support.extracting import extract_crops

Extract = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Extract:
    """Run `two-in-one extract` and return the one line that it prints on stderr."""

    def run(root: Path, out: Path, *switches: str, **options: Any) -> str:
        options = {"accelerator": "cpu", "frames_per_video": 3, "size": 64, **options}
        argv = [f"--{name}={value}" for name, value in options.items()]
        with pytest.raises(SystemExit) as stopped:
            main(["extract", f"--root={root}", f"--out={out}", *argv, *switches])
        assert stopped.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        return error

    return run


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"size": 0}, "size is 0: expected a number at least 16"),
        ({"size": -1}, "size is -1: expected a number at least 16"),
        ({"size": 10**9}, "and at most 4096"),
        ({"scale": 0.5}, "scale is 0.5: expected a number at least 1"),
        ({"scale": ".inf"}, "scale"),
        ({"frames_per_video": 0}, "frames_per_video is 0: expected a number at least 1"),
        ({"limit": 0}, "limit is 0: expected a number at least 1"),
        ({"num_workers": -1}, "num_workers is -1: expected a number at least 0"),
        ({"compression": "c32"}, "compression 'c32' does not exist: did you mean c23?"),
        ({"accelerator": "abacus"}, "accelerator abacus, devices auto, num_nodes 1"),
        ({"devices": 0}, "devices 0"),
        ({"devices": -2}, "devices -2"),
        ({"devices": "several"}, "devices several"),
        ({"num_nodes": 0}, "num_nodes 0"),
        ({"strategy": "dpp"}, "strategy dpp"),
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused(
    small_ffpp: Path, tmp_path: Path, refused: Extract, option: dict[str, Any], message: str
) -> None:
    assert message in refused(small_ffpp, tmp_path / "out", **option)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_refuses_the_same(small_ffpp: Path, tmp_path: Path, refused: Extract) -> None:
    for option in ({"num_workers": -1}, {"devices": 0}, {"size": 0}):
        (name,) = option
        assert name in refused(small_ffpp, tmp_path / "out", "--dry_run", **option)


def test_a_folder_that_cannot_be_a_store_is_refused(
    small_ffpp: Path, small_store: ExtractionResult, tmp_path: Path, refused: Extract
) -> None:
    file, link, photos = tmp_path / "file", tmp_path / "link", tmp_path / "photos"
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    photos.mkdir()
    (photos / "cat.png").touch()
    before = sorted(tmp_path.rglob("*"))
    assert "a file; expected a folder" in refused(small_ffpp, file)
    assert "cannot be written" in refused(small_ffpp, file / "store")
    assert "cannot be written" in refused(small_ffpp, link)
    assert "cannot be read" in refused(small_ffpp, tmp_path / ("long" * 100))
    assert "holds something other than crops" in refused(small_ffpp, photos)
    assert "made with size 64, but here it is 128" in refused(small_ffpp, small_store.out, size=128)
    assert "no such folder" in refused(tmp_path / "nowhere", tmp_path / "out")
    assert "no such folder" in refused(file, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_a_read_only_folder_is_refused(small_ffpp: Path, tmp_path: Path, refused: Extract) -> None:
    tmp_path.chmod(0o555)
    assert "Permission denied" in refused(small_ffpp, tmp_path / "out")


def test_paths_that_are_not_videos_are_listed(small_ffpp: Path, tmp_path: Path) -> None:
    """A FIFO, a dangling link, a folder, an empty file and a text file: each named as a video."""
    root = tmp_path / "ffpp"
    shutil.copytree(small_ffpp, root, ignore=shutil.ignore_patterns("c40", "masks"))
    folder = root / "original_sequences/youtube/c23/videos"
    fifo, link, directory, empty, text, _ = paths = sorted(folder.glob("*.mp4"))
    for path in paths[:-1]:
        path.unlink()
    os.mkfifo(fifo)
    link.symlink_to(tmp_path / "nowhere")
    directory.mkdir()
    empty.touch()
    text.write_text("not a video")
    result = extract_crops(root, tmp_path / "out", methods=["original"])
    unreadable = {Path(one.path): one.reason for one in result.summary.unreadable if one.path}
    listed = {*unreadable, *(folder / f"{one.split('/')[-1]}.mp4" for one in missing_of(result))}
    assert listed == {fifo, link, directory, empty, text}
    assert (result.summary.videos, result.summary.crops) == (1, 3)


def missing_of(result: ExtractionResult) -> list[str]:
    return [video for videos in result.summary.missing.values() for video in videos]


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("extraction.json", lambda path: path.write_text("{"), "cut short or not JSON"),
        ("extraction.json", lambda path: path.write_bytes(b"\xff"), "not UTF-8 text"),
        (
            "extraction.json",
            lambda path: change_json(path, lambda content: content.update(crops="many")),
            "$.crops",
        ),
        (
            "extraction.json",
            lambda path: change_json(path, lambda content: content.pop("unreadable")),
            "missing required field `unreadable`",
        ),
        ("ledger", lambda path: path.write_text(""), "cut short or not JSON"),
        ("ledger", lambda path: path.write_text("[]"), "Expected `object`, got `array`"),
        (
            "ledger",
            lambda path: change_json(path, lambda content: content["crops"][1].pop()),
            "$.crops[1]",
        ),
        (
            "ledger",
            lambda path: change_json(path, lambda content: content["record"].update(label=7)),
            "$.record.label",
        ),
        (
            "ledger",
            lambda path: change_json(path, lambda content: content["bytes"].pop()),
            "`crops`, `bytes` and `checksums` differ in length",
        ),
        ("store.json", lambda path: path.write_text("{"), "cut short or not JSON"),
        (
            "store.json",
            lambda path: change_json(path, lambda content: content.update(version=2)),
            "$.version",
        ),
    ],
)
def test_a_damaged_or_edited_file_of_the_store_is_named(
    small_ffpp: Path,
    small_store: ExtractionResult,
    tmp_path: Path,
    refused: Extract,
    name: str,
    damage: Callable[[Path], object],
    message: str,
) -> None:
    out = tmp_path / "out"
    shutil.copytree(small_store.out, out)
    path = next((out / name).rglob("*.json")) if name == "ledger" else out / name
    damage(path)
    error = refused(small_ffpp, out)
    assert message in error
    assert str(path) in error
