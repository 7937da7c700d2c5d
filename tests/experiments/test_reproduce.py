"""The main job on a root that is passed as FaceForensics++ would be: same code, other folder."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import main
from errors import InputError
from tests.support import own_parts
from tests.support.own_parts import write_own_parts
from tests.support.runs import refused

CONFIGS = Path(__file__).parents[2] / "configs"


def test_from_videos_to_a_report_and_again(
    tiny_ffpp: Path,
    celeb_df_v1: Path,
    tiny_crops: Path,
    tiny_recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd,
) -> None:
    argv = [
        "reproduce",
        f"--ffpp_root={tiny_ffpp}",
        f"--celebdf_root={celeb_df_v1}",
        f"--test_crops={tiny_crops}",
        f"--setting={tiny_recipe}",
        f"--data={tmp_path / 'data'}",
        f"--out={tmp_path / 'runs'}",
        "--jobs=2",
        "--methods",
        "student",
        "two-in-one",
        "own.yaml",
    ]
    write_own_parts(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    rung = yaml.safe_load((CONFIGS / "methods" / "dedicated.yaml").read_text())
    rung["model"]["init_args"] |= {
        "projector": {"class_path": own_parts.PROJECTOR},
        "homogenization": {"weighting": own_parts.WEIGHTING, "rotate": False},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(rung))
    main(argv)
    first = capfd.readouterr().out
    latest = tmp_path / "runs" / "latest"
    assert "report.html" in first
    for name in ("report.html", "results.json", "profile.json", "robustness.json"):
        assert (latest / name).is_file()
    results = json.loads((latest / "results.json").read_text())
    methods = [run["run"]["method"] for run in results["runs"]]
    assert methods == ["teacher", "student", "two-in-one", "own"]
    further = f"mini-FaceForensics++ ({tiny_crops.name}) c23/test"
    assert {"Celeb-DF-v1 release/test", further} <= set(results["runs"][-1]["metrics"])
    assert {claim["id"] for claim in results["claims"]} == {"C1", "C2", "C3"}
    assert results["data"]["miniature"] is True
    report = (latest / "report.md").read_text()
    assert "not FaceForensics++ figures" in report.replace("\n", " ")
    assert "## Cost" in report
    assert "## Robustness" in report
    made = [latest / "profile.json", *latest.glob("*/checkpoints/*")]
    stamps = {path: path.stat().st_mtime_ns for path in made}

    settings = tiny_recipe.with_name("small.yaml")
    settings.write_text("# a comment changes nothing\n" + settings.read_text())
    main(argv)
    second = capfd.readouterr().out
    assert second.count("reused: crops of") == 2
    assert "reused: 1 finished run\n" in second  # the teacher
    assert "reused: 3 finished runs" in second
    assert "profile.json" in second
    assert "reused: the scores of 6 conditions" in second
    assert {path: path.stat().st_mtime_ns for path in made} == stamps

    results = json.loads((latest / "student-seed0" / "results.json").read_text())
    results["version"] = 1
    (latest / "student-seed0" / "results.json").write_text(json.dumps(results))
    (latest / "two-in-one-seed0" / "results.json").unlink()
    with pytest.raises(SystemExit):
        main(argv)
    line = capfd.readouterr().err.strip()
    assert "`$.version`" in line
    assert "test the run again with two-in-one test -c" in line
    assert not (latest / "two-in-one-seed0" / "results.json").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"measures": {"rounds": 1, "corruptions": []}}, "field `num_workers` - at `$.measures`"),
        (
            {"measures": {"rounds": 1, "corruptions": ["JPG"], "num_workers": 0}},
            "corruption 'JPG' does not exist: did you mean JPEG",
        ),
        ({"extraction": {"frames_per_video": 0, "size": 64}}, "$.extraction.frames_per_video"),
        ({"extraction": None}, "Expected `object`, got `null` - at `$.extraction`"),
        ({"studnet": "student/mini.yaml"}, "unknown field `studnet`"),
        ({"student": "student/nimi.yaml"}, "student/nimi.yaml: neither a file nor a config"),
        ({"student": __file__}, "cut short or not YAML"),
    ],
)
def test_a_recipe_is_refused_before_anything_is_written(
    change: dict, expected: str, tiny_recipe: Path, tmp_path: Path, capfd
) -> None:
    recipe = yaml.safe_load(tiny_recipe.read_text()) | change
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe))
    options = [f"--setting={tmp_path / 'mine.yaml'}", f"--data={tmp_path / 'data'}"]
    assert expected in refused(["reproduce", *options], capfd)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--methods", "niave"], "configs/methods: did you mean naive"),
        (["--seeds", "-1"], "seeds"),
        (["--devices=0"], "devices"),
        (["--jobs=0"], "jobs"),
        (["--jobs=2", "--devices=2"], "--jobs 2 with --devices 2"),
        (["--compression=c32"], "compression"),
        (["--compression=raw"], "raw needs --ffpp_root"),
        (["--faces=x", "--ffpp_root=y"], "leave one of them out"),
        (["--test_crops=nowhere"], "nowhere: expected the crops of all videos: extract them"),
    ],
)
def test_an_option_is_refused_before_anything_is_written(
    options: list[str], expected: str, tmp_path: Path, capfd
) -> None:
    assert expected in refused(["reproduce", *options, f"--data={tmp_path / 'data'}"], capfd)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("own", "model: [", "own.yaml: cut short or not YAML"),
        ("own", "- model", "own.yaml: Expected `object`, got `array`"),
        ("naive", "run: {method: own}", "naive.yaml: its runs would be named like those of naive"),
        ("teacher", "run: {method: own}", "its runs would be named like those of the teacher"),
    ],
)
def test_a_rung_of_ones_own_is_refused_before_anything_is_written(
    name: str, content: str, expected: str, tmp_path: Path, capfd
) -> None:
    rung = tmp_path / f"{name}.yaml"
    rung.write_text(content)
    argv = ["reproduce", f"--data={tmp_path / 'data'}", "--methods", "naive", rung]
    assert expected in refused(argv, capfd)
    assert not (tmp_path / "data").exists()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options with which `reproduce` renders the miniature; nothing is rendered."""
    asked: dict[str, Any] = {}

    def render(out: Path, **options: object) -> None:
        asked.update(options, out=out)
        msg = "no need to render"
        raise InputError(msg)

    monkeypatch.setattr("cli.reproduce.mini_ffpp", render)
    return asked


@pytest.mark.parametrize(("people", "frames"), [(99, 16), (100, 4)])
def test_few_real_faces_get_more_frames(
    people: int, frames: int, asked: dict[str, Any], tmp_path: Path, capfd
) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    for person in range(people):
        (faces / f"{person}.jpg").write_text("")
    refused(["reproduce", f"--faces={faces}", f"--data={tmp_path}"], capfd)
    assert (asked["faces"], asked["frames"]) == (faces, frames)


def test_the_miniature_has_what_the_runs_use_and_no_more(
    asked: dict[str, Any], tmp_path: Path, capfd
) -> None:
    refused(["reproduce", "--compression=c40", f"--data={tmp_path}"], capfd)
    assert asked == {
        "out": tmp_path / "mini-ffpp",
        "celeb_df": tmp_path / "mini-ffpp-celeb-df",
        "faces": None,
        "frames": 4,
        "compressions": ["c40"],
        "masks": False,
    }
    record = f"--record={tmp_path / 'record'}"
    refused(["reproduce", "--setting=claims", record, f"--data={tmp_path}"], capfd)
    assert asked["out"] == tmp_path / "mini-ffpp-240-40-160"
    assert [asked[split] for split in ("train", "val", "test")] == [240, 40, 160]
