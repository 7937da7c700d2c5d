"""What `two-in-one check` makes of bad paths and options, and of places that cannot be written."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from checking.files import find_media
from cli.main import main
from tests.support.runs import refused

FAST = ["--every=0.4", "--max_frames=4"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pages that several runs share: the clip is checked once."""
    folder: Path = tmp_path_factory.mktemp("pages")
    return folder


@pytest.mark.parametrize(
    ("argv", "status", "errors"),
    [
        (["{clip}", "{tmp}/none.mp4"], 2, ["none.mp4: no such file, expected a file"]),
        (["{clip}", "{tmp}/empty"], 2, ["empty: no video or image in it"]),
        (["{clip}", "{tmp}/some/**.mp4"], 2, ["Invalid pattern"]),
        (["{clip}", "{tmp}/" + 300 * "x"], 2, ["File name too long"]),
        (["{clip}", "{tmp}/some/bad ö.mp4", "{tmp}/none"], 2, ["none: no", "bad ö.mp4: not a"]),
        (["{clip}", "{tmp}/some/bad ö.mp4", "{tmp}/some"], 2, ["bad ö.mp4: not a video"]),
        (["{tmp}/notes.txt", "{clip}", "/dev/null"], 2, ["notes.txt: not", "null: not a regular"]),
        (["{clip}", "{tmp}/some"], 1, []),
        (["{clip}", "{tmp}/empty/../some/*.mp4"], 1, []),
        (["{clip}", "{clip.parent}/../*/{clip.name}"], 0, []),
    ],
)
def test_bad_input_does_not_keep_the_other_paths_from_being_judged(
    argv: list[str], status: int, errors: list[str], judging_package: Path, clip: Path,
    pages: Path, tmp_path: Path, capsys: Any,
) -> None:  # fmt: skip
    (tmp_path / "some").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "some" / "bad ö.mp4").touch()
    (tmp_path / "notes.txt").write_text("no media")
    named = [one.format(tmp=tmp_path, clip=clip) for one in argv]
    options = [f"--detector={judging_package}", f"--out={pages}", *FAST]
    with pytest.raises(SystemExit) as end:
        main(["check", *named, *options])
    printed = capsys.readouterr()
    assert end.value.code == status
    lines = printed.err.splitlines()
    assert len(lines) == len(errors)
    for line, expected in zip(lines, errors, strict=True):
        assert line.startswith("error: ")
        assert expected in line
    assert f"{clip}: strong evidence of a forgery" in printed.out.splitlines()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "locked").mkdir(mode=0)
    found = find_media([tmp_path])
    assert found.files == [tmp_path / "a.mp4"]
    assert found.missing == [f"{tmp_path / 'locked'}: cannot be read: check its rights"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["{tmp}/nothing.mp4"], "nothing.mp4: no such file"),
        (["{tmp}/*.mp4"], "no such file"),
        (["{tmp}"], "no video or image in it"),
        (["{clip}", "--every=0"], "every is 0"),
        (["{clip}", "--detector={tmp}"], "has no card.json"),
        (["{clip}", "--calibration={tmp}/none.json"], "none.json: No such file"),
        (["{clip}", "--calibration={tmp}/pipe"], "pipe: not a regular file"),
        (["{clip}", "--calibration={tmp}/list.json"], "list.json: damaged, expected a calibration"),
        (["{clip}", "--out={clip}/x"], "cannot be written"),
        (["{clip}", "--csv={tmp}"], "a folder, expected the name of a file to write"),
        (["{clip}", "--csv="], ".: a folder, expected the name of a file to write"),
    ],
)
def test_bad_input_is_one_line(
    argv: list[str], expected: str, judging_package: Path, clip: Path, tmp_path: Path, capfd: Any
) -> None:
    os.mkfifo(tmp_path / "pipe")
    content = {"detector": "", "sampling": [], "scores": {}, "left_out": {}, "version": 1}
    (tmp_path / "list.json").write_text(json.dumps(content))
    named = [one.format(tmp=tmp_path, clip=clip) for one in argv]
    defaults = [f"--detector={judging_package}", f"--out={tmp_path / 'out'}", *FAST]
    assert expected in refused(["check", *defaults, *named], capfd)


def test_devices_and_links_are_written_to_and_not_replaced(
    judging_package: Path, clip: Path, pages: Path, tmp_path: Path, capfd: Any
) -> None:
    full, link, file = tmp_path / "full", tmp_path / "link.csv", tmp_path / "file.csv"
    full.symlink_to("/dev/full")
    link.symlink_to(file)
    argv = ["check", clip, f"--detector={judging_package}", f"--out={pages}", *FAST]
    line = refused([*argv, f"--csv={full}"], capfd)
    assert f"{full}: cannot be written (No space left on device)" in line
    with pytest.raises(SystemExit):
        main([*map(str, argv), f"--csv={link}"])
    assert file.read_text().startswith("path,person")
    assert full.is_symlink()
    assert link.is_symlink()


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_standard_output_may_be_full(
    judging_package: Path, clip: Path, pages: Path, capfd: Any, monkeypatch: Any,
    options: list[str],
) -> None:  # fmt: skip
    argv = ["check", clip, f"--detector={judging_package}", f"--out={pages}", *FAST, *options]
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main([*map(str, argv)])
    assert end.value.code == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("error: standard output: cannot be written (No space left on device)")
