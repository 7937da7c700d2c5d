"""Sweep files, run here: their points, a run of each design, and the comparison."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
import yaml
from scipy import stats

from cli.main import main
from errors import InputError
from evaluation.comparison.designs import PointRecord, compare_designs
from experiments.sweep_file import Point, read_sweep_file
from tests.support import own_parts
from tests.support.own_parts import write_own_parts
from tests.support.processes import exit_status, start_afresh
from tests.support.runs import checkpoint, refused
from tests.training.test_resume import wait_for_step

SWEEPS = sorted((Path(__file__).parents[2] / "configs" / "sweeps").glob("*.yaml"))
ROOT = Path(__file__).parents[2]
ARGS = "model.init_args"
PROJECTORS = "lightning_modules.projectors"


def designs() -> list[tuple[Path, dict]]:
    """Every design of every sweep file once, whatever its seeds.

    Except rungs without further parameters, which tests/training/test_training.py runs.
    """
    found = []
    for path in SWEEPS:
        swept = read_sweep_file(path)
        by_design = {json.dumps(swept.design(p)): p for p in swept.points()}
        by_design = {name: p for name, p in by_design.items() if set(swept.design(p)) != {"config"}}
        found += [(path, point.parameters) for point in by_design.values()]
    return found


def argv_of(path: Path, crops: Path, teacher: Path, folder: Path) -> list[str]:
    """The arguments of a sweep's points, on the tiny crops and with the tiny teacher."""
    shared = [word.replace("configs/", f"{ROOT}/configs/") for word in read_sweep_file(path).argv()]
    tiny = [f"--data.crops={crops}", "--data.image_size=64", "--data.batch_size=4"]
    given = [f"--model.init_args.teacher={checkpoint(teacher)}"] if "front" not in path.stem else []
    quiet = ["--run.wandb=off", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    return [*shared, *tiny, *given, *quiet, f"--run.dir={folder}"]


@pytest.mark.parametrize(
    ("path", "parameters"), designs(), ids=lambda x: x.stem if isinstance(x, Path) else ""
)
def test_every_design_of_every_sweep_trains(
    path: Path, parameters: dict, tiny_crops: Path, tiny_teacher: Path, tmp_path: Path
) -> None:
    values = {k: v for k, v in parameters.items() if not k.endswith("teacher")}
    if "config" in values:
        values["config"] = str(ROOT / values["config"])
    argv = argv_of(path, tiny_crops, tiny_teacher, tmp_path / "run")
    one_step = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1"]
    main([*argv, *Point(values).argv(), *one_step, "--trainer.check_val_every_n_epoch=9"])
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()


@pytest.fixture(scope="module", autouse=True)
def working_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's working folder with a projector and a weighting of their own."""
    folder: Path = tmp_path_factory.mktemp("working")
    write_own_parts(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        yield folder


@pytest.fixture(scope="module")
def small_sweep(
    working_folder: Path, tiny_crops: Path, tiny_teacher: Path, forked_stages: None
) -> Path:
    """A sweep of three designs on the tiny crops; the last cannot be built."""
    argv = argv_of(SWEEPS[0].with_stem("projectors"), tiny_crops, tiny_teacher, Path("x"))
    designs = [f"{PROJECTORS}.Linear", own_parts.PROJECTOR, f"{PROJECTORS}.Identity"]
    content = {
        "method": "grid",
        "metric": {"name": "val/video_auc", "goal": "maximize"},
        "parameters": {
            f"{ARGS}.projector": {"values": designs},
            f"{ARGS}.homogenization.weighting": {"value": own_parts.WEIGHTING},
            "seed_everything": {"value": 0},
        },
        "command": ["two-in-one", *argv, "--trainer.max_epochs=1", "${args}"],
    }
    path: Path = working_folder / "small.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def swept(small_sweep: Path) -> tuple[Path, str]:
    """The folder of the finished sweep, and its output."""
    out, printed = small_sweep.with_name("sweeps"), StringIO()
    with redirect_stdout(printed), pytest.raises(SystemExit) as exit_:
        main(["sweep", f"--out={out}", f"--file={small_sweep}", "--jobs=2"])
    assert exit_.value.code == 1
    return out / "small", printed.getvalue()


def test_a_sweep_compares_its_designs(swept: tuple[Path, str]) -> None:
    folder, printed = swept
    table = pd.read_csv(folder / "sweep.csv")
    assert set(table["design"]) == {"Linear", "TwoLayers"}
    assert table["median"].is_monotonic_decreasing
    costs = table.set_index("design")["trained_parameters"]
    assert costs["TwoLayers"] != costs["Linear"]
    assert (folder / "sweep.svg").read_text().lstrip().startswith("<?xml")
    runs = [path.parent for path in folder.glob("*/point.json")]
    for run in runs:
        config = yaml.safe_load((run / "config.yaml").read_text())
        assert config["model"]["init_args"]["homogenization"]["weighting"] == own_parts.WEIGHTING
    assert len(runs) == 2
    listed = pd.read_csv(folder / "runs.csv")
    assert set(listed["run"]) == {run.name for run in runs}
    assert set(listed["metric"]) == set(table["median"])
    assert f"{ARGS}.projector" in listed
    assert all(list(run.glob("wandb/offline-run-*")) for run in runs)
    assert str(folder / "sweep.csv") in printed


def test_a_point_that_fails_is_named_and_the_others_run(swept: tuple[Path, str]) -> None:
    _, printed = swept
    failed = [line for line in printed.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1
    assert f"--{ARGS}.projector={PROJECTORS}.Identity" in failed[0]
    assert "log.txt" in printed


def test_designs_of_two_checkpoints_stay_apart() -> None:
    """A class path is shortened to the class, a file's path is not."""
    designs = [{"teacher": f"runs/{name}/best.ckpt", "p": f"{PROJECTORS}.MLP"} for name in "ab"]
    records = [
        PointRecord(str(i), {}, design, i / 2, 1, 1.0, 1.0, 1.0) for i, design in enumerate(designs)
    ]
    found = compare_designs(records, "val/video_auc", maximize=True).designs["design"]
    assert list(found) == ["teacher=runs/b/best.ckpt, p=MLP", "teacher=runs/a/best.ckpt, p=MLP"]


def test_designs_of_two_classes_of_one_name_stay_apart() -> None:
    records = [
        PointRecord(path, {"p": path, "seed": 0}, {"p": path}, metric, 1, 1.0, None, None)
        for path, metric in (("old.Wide", 0.5), ("new.Wide", 0.6))
    ]
    table = compare_designs(records, "val/video_auc", maximize=True).designs
    assert list(table["design"]) == ["new.Wide", "old.Wide"]
    assert list(table["seeds"]) == [1, 1]


def test_designs_are_paired_by_seed_with_the_best() -> None:
    metrics = {"a": [0.9, 0.8, 0.85], "b": [0.86, 0.77, 0.81]}
    records = [
        PointRecord(f"{d}{s}", {"p": d, "seed": s}, {"p": d}, metrics[d][s], 1, 1.0, None, None)
        for d in metrics
        for s in range(3)
    ]
    table = compare_designs(records, "val/video_auc", maximize=True).designs.set_index("design")
    expected = stats.ttest_rel(metrics["b"], metrics["a"]).confidence_interval()
    assert tuple(table.loc["b", ["low", "high"]]) == pytest.approx(tuple(expected))
    assert table.loc["a", "difference"] == 0


def test_points_that_are_done_are_reused(
    small_sweep: Path, swept: tuple[Path, str], capsys
) -> None:
    folder, _ = swept
    records = list(folder.glob("*/point.json"))
    before = {path: path.stat().st_mtime_ns for path in records}
    main(["sweep", f"--out={folder.parent}", f"--file={small_sweep}", "--count=2"])
    assert "reused: 2 finished runs" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in records} == before


def test_a_resumed_point_keeps_its_earlier_seconds(
    small_sweep: Path, swept: tuple[Path, str]
) -> None:
    """As if stopped after its last checkpoint, when it had run for 150 seconds in two parts."""
    folder, _ = swept
    record = next(folder.glob("*/point.json"))
    assert not record.with_name("began").exists()
    record.unlink()
    record.with_name("began").write_text("100.0\n")
    saved = (record.parent / "checkpoints" / "last.ckpt").stat().st_mtime
    os.utime(record.with_name("began"), (saved - 50, saved - 50))
    began = time.monotonic()
    main(["sweep", f"--out={folder.parent}", f"--file={small_sweep}", "--count=2"])
    assert 0 < json.loads(record.read_text())["seconds"] - 150 < time.monotonic() - began


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_sweep_that_is_stopped_stops_its_runs(
    number: signal.Signals, small_sweep: Path, tmp_path: Path
) -> None:
    content = yaml.safe_load(small_sweep.read_text())
    content["command"].insert(-1, "--trainer.max_epochs=1000")
    file = tmp_path / "long.yaml"
    file.write_text(yaml.safe_dump(content))
    run = tmp_path / "long" / read_sweep_file(file).points()[0].id
    argv = ["sweep", f"--out={tmp_path}", f"--file={file}", "--jobs=1"]
    process = start_afresh(argv, tmp_path / "log.txt")
    wait_for_step(run, 5)
    process.send_signal(number)
    assert exit_status(process) == 128 + number
    curves = (run / "metrics.csv").read_bytes()
    time.sleep(1)
    assert (run / "metrics.csv").read_bytes() == curves
    assert [path.name for path in run.parent.iterdir()] == [run.name]


def test_a_damaged_record_of_a_point_is_a_one_line_error(
    small_sweep: Path, swept: tuple[Path, str], capsys
) -> None:
    folder, _ = swept
    record = next(folder.glob("*/point.json"))
    content = record.read_text()
    record.write_text(json.dumps(json.loads(content) | {"seconds": "long"}))
    argv = ["sweep", f"--out={folder.parent}", f"--file={small_sweep}", "--count=2"]
    line = refused(argv, capsys)
    record.write_text(content)
    assert str(record) in line
    assert "`$.seconds`" in line


def test_nothing_of_this_machine_is_in_what_wandb_keeps(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    kept = [path for path in folder.rglob("wandb/offline-run-*/**/*") if path.is_file()]
    sent = [path for path in kept if path.suffix in (".wandb", ".json", ".yaml", ".txt")]
    assert sent
    for path in sent:
        content = path.read_bytes()
        assert not [
            place for place in (folder, Path.home(), ROOT) if str(place).encode() in content
        ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"method": "bayes"}, "method 'bayes': a local sweep is a grid: list `value`"),
        ({"method": "random"}, "or use W&B: `make sweep`"),
        ({"early_terminate": {"type": "hyperband"}}, "early_terminate: a local sweep runs every"),
        ({"metric": None}, "missing required field `metric`"),
        ({"metric": {"name": "val/loss", "goal": "max"}}, "`$.metric.goal`"),
        ({"command": ["python", "train.py"]}, "two-in-one fit"),
        ({"command": "two-in-one fit"}, "Expected `array`, got `str` - at `$.command`"),
        ({"parameters": {"x": {"min": 0, "max": 1}}}, "parameters.x: expected value or values"),
        ({"parameters": {"x": {"distribution": "normal"}}}, "got distribution: list `value`"),
        ({"parameters": {"x": {"values": []}}}, "parameters.x.values: expected a list"),
        ({"parameters": {"x": {"valeus": [1]}}}, "parameters.x: expected value or values"),
        ({"parameters": {"x": [1, 2]}}, "parameters.x: expected value or values, got [1, 2]"),
        ({"parameter": {}}, "unknown field `parameter`"),
        ({"parameters": {f"{ARGS}.projektor": {"value": 1}}}, "did you mean projector"),
        ({"parameters": {f"{ARGS}.projector": {"value": f"{PROJECTORS}.Linaer"}}}, "mean Linear"),
        ({"parameters": {"seed_everything": {"value": "x"}}}, "seed_everything"),
    ],
)
def test_a_mistake_in_the_file_is_a_one_line_error(
    change: dict, expected: str, small_sweep: Path, tmp_path: Path, capsys
) -> None:
    content = yaml.safe_load(small_sweep.read_text()) | change
    path = tmp_path / "mistaken.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
    assert expected in refused(["sweep", f"--out={tmp_path / 'sweeps'}", f"--file={path}"], capsys)


def test_options_replace_fixed_values_and_no_varied_ones(small_sweep: Path) -> None:
    swept = read_sweep_file(small_sweep).with_options(["seed_everything=7", "data.views=2"])
    assert {point.parameters["seed_everything"] for point in swept.points()} == {"7"}
    assert "--data.views=2" in swept.argv()
    with pytest.raises(InputError, match="the sweep varies it"):
        swept.with_options([f"{ARGS}.projector=x"])
