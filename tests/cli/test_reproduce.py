"""The main job on a root that is passed as FaceForensics++ would be: same code, other folder."""

import json
from pathlib import Path

import pytest
import yaml

from cli.main import main

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature's recipe, made small; its teacher and student are the real ones."""
    folder: Path = tmp_path_factory.mktemp("recipe")
    recipe = yaml.safe_load((CONFIGS / "reproduce" / "mini.yaml").read_text())
    recipe["extraction"] = {"frames_per_video": 2, "size": 64}
    recipe["measures"] = {"rounds": 1, "corruptions": ["saturation"], "num_workers": 0}
    small = {
        "data": {"image_size": 64, "batch_size": 4},
        "trainer": {"accelerator": "cpu", "max_epochs": 1, "enable_progress_bar": False},
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(small))
    recipe["configs"].append(str(folder / "small.yaml"))
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def test_from_videos_to_a_report_and_again(
    tiny_ffpp: Path, tiny_recipe: Path, tmp_path: Path, capfd
) -> None:
    words = [
        "reproduce",
        f"--ffpp_root={tiny_ffpp}",
        f"--celebdf_root={tiny_ffpp.with_name('ffpp-celeb-df')}",
        f"--setting={tiny_recipe}",
        f"--data={tmp_path / 'data'}",
        f"--out={tmp_path / 'runs'}",
        "--methods",
        "student",
        "two-in-one",
    ]
    main(words)
    first = capfd.readouterr().out
    latest = tmp_path / "runs" / "latest"
    assert "report.html" in first
    for name in ("report.html", "results.json", "profile.json", "robustness.json"):
        assert (latest / name).is_file()
    results = json.loads((latest / "results.json").read_text())
    assert [run["run"]["method"] for run in results["runs"]] == ["teacher", "student", "two-in-one"]
    assert {claim["id"] for claim in results["claims"]} == {"C1", "C2", "C3"}
    assert results["data"]["miniature"] is True
    report = (latest / "report.md").read_text()
    assert "not FaceForensics++ figures" in report.replace("\n", " ")
    assert "## What it costs" in report
    assert "## Robustness" in report
    made = [latest / "profile.json", *latest.glob("*/checkpoints/*")]
    stamps = {path: path.stat().st_mtime_ns for path in made}

    main(words)
    second = capfd.readouterr().out
    assert second.count("reused: crops of") == 2
    assert second.count("reused: ") == 2 + 3 + 2
    assert "reused: 6 conditions" in second
    assert {path: path.stat().st_mtime_ns for path in made} == stamps

    results = json.loads((latest / "student-seed0" / "results.json").read_text())
    results["version"] = 1
    (latest / "student-seed0" / "results.json").write_text(json.dumps(results))
    (latest / "two-in-one-seed0" / "results.json").unlink()
    with pytest.raises(SystemExit):
        main(words)
    line = capfd.readouterr().err.strip()
    assert "version 1, expected version 2" in line
    assert "test the run again with two-in-one test -c" in line
    assert not (latest / "two-in-one-seed0" / "results.json").exists()
