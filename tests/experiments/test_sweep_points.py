"""Finished points of a sweep, as if they were trained: what they keep, and when they are reused."""

from pathlib import Path

import msgspec
import pandas as pd
import pytest
import yaml

from evaluation.comparison.designs import compare_designs, write_comparison
from evaluation.formatting import MISSING
from experiments.sweep import SweepRun, plan_sweep, read_points
from experiments.sweep_file import SweepFile, read_sweep_file
from records.files import read_record, write_record
from tests.support.ladder_on_disk import write_run
from tests.support.runs import refused

COMMAND = ["-c=data.yaml", "-c=student.yaml", "--data.views=2"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("data", "student", "other"):
        write_config(name, 64)
    return write_sweep(tmp_path / "small.yaml")


def write_config(name: str, image_size: int) -> None:
    Path(f"{name}.yaml").write_text(yaml.safe_dump({name: {"image_size": image_size}}))


def write_sweep(path: Path, metric: str = "val/video_auc", command: list[str] = COMMAND) -> Path:
    content = {
        "method": "grid",
        "metric": {"name": metric, "goal": "maximize"},
        "parameters": {"model.init_args.distillation_weight": {"values": [0.5, 1.0]}},
        "command": ["two-in-one", "fit", *command, "${args}"],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def finish(swept: SweepFile, out: Path) -> list[SweepRun]:
    """Finish the points of a sweep without training, and return them."""
    runs = plan_sweep(swept, out / "small")
    for run in runs:
        run.folder.parent.mkdir(parents=True, exist_ok=True)
        write_run(out, "student").rename(run.folder)
        run.before()
        run.after()
    return runs


def test_points_of_the_same_sweep_are_reused(file: Path, tmp_path: Path) -> None:
    swept = read_sweep_file(file).with_options(["data.batch_size=4"])
    Path("data.yaml").write_text("{trainer: {gradient_clip_val: .inf}, date: 2026-01-01}")
    finish(swept, tmp_path)
    again = plan_sweep(swept, tmp_path / "small")
    assert len(read_points(again)) == len(again) == 2


@pytest.mark.parametrize(
    ("change", "options", "expected"),
    [
        ({}, ["--options", "data.views=3"], "--data.views (2) None, but here it is 3"),
        ({}, ["--options", "data.size=64"], "--data.size None, but here it is 64"),
        ({"metric": "val/loss"}, [], "metric val/video_auc, but here it is val/loss"),
        (
            {"command": ["-c=data.yaml", "-c=other.yaml", "--data.views=2"]},
            [],
            "-c (2) student.yaml, but here it is other.yaml",
        ),
        ({"command": COMMAND[:2]}, [], "--data.views 2, but here it is None"),
    ],
)
def test_points_of_another_command_are_refused(
    change: dict, options: list[str], expected: str, file: Path, tmp_path: Path, capsys
) -> None:
    first, _ = finish(read_sweep_file(file), tmp_path)
    write_sweep(file, **change)
    line = refused(["sweep", f"--out={tmp_path}", f"--file={file}", *options], capsys)
    assert f"{first.folder / 'point.json'}: made with {expected}: set it back" in line
    assert f"choose another --out, or remove {first.folder.parent}" in line


@pytest.mark.parametrize("command", [COMMAND, ["-c", "data.yaml", "--config", "student.yaml"]])
def test_points_of_a_changed_config_are_refused(
    command: list[str], file: Path, tmp_path: Path, capsys
) -> None:
    write_sweep(file, command=command)
    finish(read_sweep_file(file), tmp_path)
    write_config("student", 96)
    line = refused(["sweep", f"--out={tmp_path}", f"--file={file}"], capsys)
    assert "made with student.yaml.student.image_size 64, but here it is 96: set it back" in line


def test_a_missing_config_is_named(file: Path, tmp_path: Path, capsys) -> None:
    Path("student.yaml").unlink()
    line = refused(["sweep", f"--out={tmp_path / 'out'}", f"--file={file}"], capsys)
    assert "student.yaml: no such file" in line
    assert not (tmp_path / "out").exists()


def test_records_of_points_without_settings_are_read(file: Path, tmp_path: Path) -> None:
    runs = finish(read_sweep_file(file), tmp_path)
    for run in runs:
        path = run.folder / "point.json"
        content = read_record(path, dict, "a record", "")
        del content["settings"], content["configs"]
        write_record(path, content)
    expected = [
        msgspec.structs.replace(record, settings=None, configs=None) for record in read_points(runs)
    ]
    assert read_points(plan_sweep(read_sweep_file(file), tmp_path / "small")) == expected


def test_a_design_whose_metric_is_not_a_number_comes_last(file: Path, tmp_path: Path) -> None:
    diverged, finished = finish(read_sweep_file(file), tmp_path)
    path = diverged.folder / "metrics.csv"
    pd.read_csv(path).assign(**{"val/video_auc": float("nan")}).to_csv(path, index=False)
    diverged.before()
    diverged.after()
    records = read_points([diverged, finished])
    assert records[0].metric is None
    comparison = compare_designs(records, "val/video_auc", maximize=True)
    assert list(comparison.designs["design"]) == ["1.0", "0.5"]
    assert comparison.rows()[2][2:5] == [MISSING] * 3
    assert all(written.is_file() for written in write_comparison(tmp_path, comparison))
