"""`two-in-one check` and `calibrate`: verdicts, exit statuses, and what an interruption leaves."""

import csv
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from checking.calibration import Calibration
from checking.command import run_calibrate, run_check
from checking.sampling import Sampling
from cli.main import main
from tests.support.runs import refused

WriteVideo = Callable[..., Path]
Frames = list[NDArray[np.uint8]]
FAST = ["--every=0.4", "--max_frames=4"]


@pytest.fixture
def check(
    judging_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run `two-in-one check --json`; return the exit status and the files' results by name."""

    def check(*argv: object, package: Path = judging_package) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        options = [f"--detector={package}", f"--out={tmp_path / 'out'}", "--json", *FAST]
        with pytest.raises(SystemExit) as end:
            main(["check", *options, *map(str, argv)])
        files = json.loads(capsys.readouterr().out)["files"]
        assert isinstance(end.value.code, int)
        return end.value.code, {Path(file["path"]).name: file for file in files}

    return check


def test_a_clip_is_judged_by_its_rank(check: Any, clip: Path, tmp_path: Path) -> None:
    status, files = check(clip, f"--csv={tmp_path / 'people.csv'}")
    found = files["person.mp4"]
    assert status == 0
    assert found["verdict"] == "strong evidence of a forgery"
    assert found["explanation"][0] == "0 of 150 known real videos score this high: 0 %, 0-3 %."
    (person,) = found["people"]
    assert person["seconds"] == sorted(person["seconds"])
    assert person["score"] == pytest.approx(np.mean(person["probabilities"]), abs=0.02)
    (row,) = csv.DictReader((tmp_path / "people.csv").read_text().splitlines())
    assert (row["grade"], row["forged"], row["real_as_high"]) == ("strong", "True", "0.0")
    page = Path(found["page"]).read_text()
    assert "Strong evidence of a forgery" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)


def test_what_cannot_be_judged_has_a_reason_and_no_score(
    check: Any, clip: Path, package: Path, person_frames: Frames, write_video: WriteVideo,
    tmp_path: Path,
) -> None:  # fmt: skip
    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copy(clip, folder)
    write_video(folder / "grey.mp4", [np.full((96, 128, 3), 90 + n, np.uint8) for n in range(8)])
    tiny = [np.pad(frame[::8, ::8], [(60, 60), (60, 60), (0, 0)]) for frame in person_frames]
    write_video(folder / "tiny.mp4", tiny, crf="4")
    blank = [person_frames[0], *[np.zeros_like(person_frames[0])] * 19]
    write_video(folder / "once.mp4", blank)
    (folder / "broken.mp4").write_bytes(b"no video")
    Path(os.fsdecode(bytes(folder) + b"/na\xefve.mp4")).write_bytes(b"no video")
    (folder / ".hidden.mp4").write_bytes(b"no video")
    (folder / "notes.txt").write_text("no media")
    status, files = check(folder)
    assert status == 1
    reasons = {name: file["reason"] for name, file in files.items()}
    assert reasons["grey.mp4"] == "no face found in 1 frame"
    assert "not a video" in reasons["broken.mp4"]
    assert reasons["person.mp4"] == ""
    assert files["person.mp4"]["cuts"] == []
    assert set(files) == {
        "person.mp4",
        "grey.mp4",
        "tiny.mp4",
        "once.mp4",
        "broken.mp4",
        "na?ve.mp4",
    }
    for name in ("tiny.mp4", "once.mp4"):
        assert all(person["score"] is None for person in files[name]["people"]), name
        assert not any(person["probabilities"] for person in files[name]["people"])
    _, files = check(clip, package=package)
    reason = "trained on rendered faces: no statement about real videos"
    assert files["person.mp4"]["reason"] == reason
    assert files["person.mp4"]["people"][0]["score"] is None


def test_an_image_is_ranked_among_single_frames(
    check: Any, person_frames: Frames, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(person_frames[0]).rotate(90, expand=True)
    turned.save(tmp_path / "a.jpg", exif=exif, quality=95)
    status, files = check(tmp_path / "a.jpg")
    assert files["a.jpg"]["is_image"]
    assert status == 0, files["a.jpg"]["verdict"]


def test_people_are_apart_and_cuts_are_marked(
    check: Any, person_frames: Frames, write_video: WriteVideo, tmp_path: Path
) -> None:
    beside = [np.hstack([f, np.full_like(f, 128), f[:, ::-1]]) for f in person_frames]
    path = write_video(tmp_path / "two.mp4", [*beside, *(255 - f for f in beside)], crf="12")
    _, files = check(path)
    found = files["two.mp4"]
    assert len(found["people"]) == 2
    assert found["worst_person"] in (1, 2)
    assert any(
        remark.startswith("the verdict is on the worst of 2 people") for remark in found["remarks"]
    )
    assert len(found["cuts"]) == 1
    assert found["cuts"][0] == pytest.approx(1.0, abs=0.25)


def test_a_second_run_checks_only_what_is_new(
    check: Any, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = check(clip)
    pages = list((tmp_path / "out").glob("*.html"))
    times = [page.stat().st_mtime_ns for page in pages]
    with (tmp_path / "out" / "results.jsonl").open("a") as results:
        results.write('{"file": "cut sho')
    shutil.copy(clip, tmp_path / "new.mp4")
    _, files = check(clip, tmp_path / "new.mp4")
    assert files["person.mp4"] == first[1]["person.mp4"]
    assert [page.stat().st_mtime_ns for page in pages] == times
    assert set(files) == {"person.mp4", "new.mp4"}


def test_an_earlier_result_names_the_file_and_its_page_as_this_run_does(
    check: Any, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(clip, tmp_path / "a.mp4")
    monkeypatch.chdir(tmp_path)
    check("a.mp4", "--out=out")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    _, files = check("../a.mp4", "--out=../out")
    assert (files["a.mp4"]["path"], files["a.mp4"]["page"]) == ("../a.mp4", "../out/a.mp4.html")


class Interrupting:
    """A screen that is interrupted at a file; the names of those before it, and the lines."""

    def __init__(self, at: int, before: Callable[[Path], object] = lambda path: None) -> None:
        self.at, self.before = at, before
        self.begun: list[str] = []
        self.lines: list[str] = []

    def watch(self, path: Path, place: int, total: int) -> Callable[[int, int], None]:
        if place == self.at:
            raise KeyboardInterrupt
        self.before(path)
        self.begun.append(path.name)
        return lambda done, frames: None

    def print(self, line: str) -> None:
        self.lines.append(line)

    def error(self, line: str) -> None:
        self.lines.append(line)


def test_an_interrupted_run_keeps_what_is_done(
    judging_package: Path, clip: Path, tmp_path: Path
) -> None:
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(clip, tmp_path / name)
    out, files = tmp_path / "out", [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    screen = Interrupting(at=1, before=Path.unlink)
    with pytest.raises(KeyboardInterrupt):
        run_check(files, judging_package, None, out, Sampling(), None, False, screen)
    assert len(screen.lines) == 1
    assert "a.mp4: no such file" in screen.lines[0]
    assert sorted(path.name for path in out.iterdir()) == ["a.mp4.html", "results.jsonl"]


def test_real_clips_show_one_person_each(check: Any, shared: Path) -> None:
    """One of them has oblong pixels, one is upright."""
    names = ["d0.mp4", "d9.mp4", "d13.mp4"]
    clips = [shared / "media" / "real_faces" / name for name in names]
    _, files = check(*clips, shared / "media" / "no_face.mp4")
    for name in names:
        assert len(files[name]["people"]) == 1, name
        assert files[name]["frames_without_face"] == 0
    assert files["no_face.mp4"]["reason"] == "no face found in 4 frames"


def test_files_of_one_name_have_pages_of_their_own(check: Any, tmp_path: Path) -> None:
    """A name may have 255 bytes, which need not be UTF-8."""
    names = ["a.mp4", 62 * "\N{VIDEO CAMERA}" + ".mp4", os.fsdecode(b"na\xefve.mp4")]
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes(b"no video")
    check(tmp_path / "one", tmp_path / "other")
    assert len(list((tmp_path / "out").glob("*.html"))) == 6


def test_a_calibration_adds_a_p_value(
    check: Any, judging_package: Path, clip: Path, tmp_path: Path, capsys: Any
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for number in range(4):
        (own / f"{number:02d}.mp4").symlink_to(clip)
    (own / "18.mp4").write_bytes(b"no video")
    # Links to one file are one file.
    argv = ["calibrate", f"--real={own}", f"--detector={judging_package}", "--level=0.7", *FAST]
    assert "2 videos, expected at least 4" in refused(argv, capsys)
    assert "own: a folder, expected the name of a file" in refused([*argv, f"--out={own}"], capsys)
    for number in range(4):
        (own / f"{number:02d}.mp4").unlink()
        shutil.copy(clip, own / f"{number:02d}.mp4")
    file = tmp_path / "calibration.json"
    main([*argv, f"--out={file}"])
    assert f"{file}: 4 real videos, 1 not used" in capsys.readouterr().out
    _, files = check(clip, f"--calibration={file}")
    assert files["person.mp4"]["p_value"]["p"] == 1
    assert not files["person.mp4"]["judged"]
    changed = [f"--calibration={file}", f"--detector={judging_package}"]
    assert "made with --every 0.4" in refused(["check", clip, *changed], capsys)


def test_an_interrupted_calibration_is_resumed(
    judging_package: Path, clip: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name in "abcd":
        shutil.copy(clip, own / f"{name}.mp4")
    (own / "c.mp4").write_bytes(b"no video")
    file = tmp_path / "new" / "calibration.json"
    options = (own, judging_package, file, 0.9, Sampling(0.4, 4))
    with pytest.raises(KeyboardInterrupt):
        run_calibrate(*options, Interrupting(at=3))
    assert not file.exists()
    assert len([*file.parent.iterdir()]) == 1
    second = Interrupting(at=9)
    run_calibrate(*options, second)
    assert second.begun == ["d.mp4"]
    assert "c.mp4: not used" in second.lines[0]
    assert [*file.parent.iterdir()] == [file]
    resumed = Calibration.read(file)
    run_calibrate(*options, Interrupting(at=9))
    assert resumed == Calibration.read(file)
    assert sorted(resumed.scores) == ["a.mp4", "b.mp4", "d.mp4"]


def test_a_package_without_a_statement_cannot_be_calibrated(
    package: Path, clip: Path, capfd: Any
) -> None:
    argv = ["calibrate", f"--real={clip.parent}", f"--detector={package}", "--level=0.99"]
    assert "a calibration cannot change that" in refused(argv, capfd)
