"""Sweep files, run here: their points, a run of each design, and the comparison."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from cli.main import main
from cli.sweep_file import Point, read_sweep_file
from tests.cli.runs import checkpoint

SWEEPS = sorted((Path(__file__).parents[2] / "configs" / "sweeps").glob("*.yaml"))
ROOT = Path(__file__).parents[2]


def designs() -> list[tuple[Path, dict]]:
    """Every design of every sweep file once, whatever its seeds."""
    found = []
    for path in SWEEPS:
        swept = read_sweep_file(path)
        by_design = {json.dumps(swept.design(p)): p for p in swept.points()}
        found += [(path, point.parameters) for point in by_design.values()]
    return found


def words_of(path: Path, crops: Path, teacher: Path, folder: Path) -> list[str]:
    """A sweep's command, on the tiny crops and with the tiny teacher."""
    command = [
        word.replace("configs/", f"{ROOT}/configs/") for word in read_sweep_file(path).command[1:]
    ]
    tiny = [f"--data.crops={crops}", "--data.image_size=64", "--data.batch_size=4"]
    given = [f"--model.init_args.teacher={checkpoint(teacher)}"] if "front" not in path.stem else []
    quiet = ["--run.wandb=off", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    return [*command, *tiny, *given, *quiet, f"--run.dir={folder}"]


@pytest.mark.parametrize(
    ("path", "parameters"), designs(), ids=lambda x: x.stem if isinstance(x, Path) else ""
)
def test_every_design_of_every_sweep_builds(
    path: Path, parameters: dict, tiny_crops: Path, tiny_teacher: Path, tmp_path: Path
) -> None:
    values = {k: v for k, v in parameters.items() if not k.endswith("teacher")}
    point = Point(values).words()
    words = words_of(path, tiny_crops, tiny_teacher, tmp_path / "run")
    main([*words, *point, "--trainer.max_epochs=0"])
    assert (tmp_path / "run" / "config.yaml").is_file()


@pytest.fixture
def small_sweep(tmp_path: Path, tiny_crops: Path, tiny_teacher: Path) -> Path:
    """A sweep of two designs and two seeds on the tiny crops."""
    words = words_of(SWEEPS[0].with_stem("projectors"), tiny_crops, tiny_teacher, tmp_path / "x")
    content = {
        "method": "grid",
        "metric": {"name": "val/video_auc", "goal": "maximize"},
        "parameters": {
            "model.init_args.projector": {
                "values": [f"lightning_modules.projectors.{name}" for name in ("Linear", "MLP")]
            },
            "seed_everything": {"values": [0, 1]},
        },
        "command": ["two-in-one", *words, "--trainer.max_epochs=1", "${args}"],
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_sweep_compares_its_designs_and_is_reused(
    small_sweep: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "sweeps"
    main(["sweep", f"--out={out}", f"--file={small_sweep}"])
    folder = out / "small"
    table = pd.read_csv(folder / "sweep.csv")
    assert set(table["design"]) == {"Linear", "MLP"}
    assert (table["seeds"] == 2).all()
    assert table["median"].is_monotonic_decreasing
    costs = table.set_index("design")["trained_parameters"]
    assert costs["MLP"] > costs["Linear"]
    assert (folder / "sweep.svg").read_text().lstrip().startswith("<?xml")
    runs = [path.parent for path in folder.glob("*/point.json")]
    assert len(runs) == 4
    assert all(list(run.glob("wandb/offline-run-*")) for run in runs)
    printed = capsys.readouterr().out
    assert str(folder / "sweep.csv") in printed

    before = {run: (run / "point.json").stat().st_mtime_ns for run in runs}
    main(["sweep", f"--out={out}", f"--file={small_sweep}"])
    assert "reused: 4 points" in capsys.readouterr().out
    assert {run: (run / "point.json").stat().st_mtime_ns for run in runs} == before


def test_nothing_of_this_machine_is_in_what_wandb_keeps(small_sweep: Path, tmp_path: Path) -> None:
    main(["sweep", f"--out={tmp_path / 'sweeps'}", "--count=1", f"--file={small_sweep}"])
    kept = [p for p in (tmp_path / "sweeps").rglob("wandb/offline-run-*/**/*") if p.is_file()]
    sent = [p for p in kept if p.suffix in (".wandb", ".json", ".yaml", ".txt")]
    assert sent
    for path in sent:
        assert str(tmp_path).encode() not in path.read_bytes(), path


def test_a_point_that_fails_is_named_and_the_rest_goes_on(
    small_sweep: Path, tmp_path: Path, capsys
) -> None:
    content = yaml.safe_load(small_sweep.read_text())
    content["parameters"]["model.init_args.projector"]["values"][0] = (
        "lightning_modules.projectors.Identity"
    )
    small_sweep.write_text(yaml.safe_dump(content))
    with pytest.raises(SystemExit) as exit_:
        main(["sweep", f"--out={tmp_path / 'sweeps'}", f"--file={small_sweep}"])
    assert exit_.value.code == 1
    printed = capsys.readouterr().out
    assert printed.count("failed: --model.init_args.projector=") == 2
    assert "log.txt" in printed
    table = pd.read_csv(tmp_path / "sweeps" / "small" / "sweep.csv")
    assert list(table["design"]) == ["MLP"]


def test_a_random_sweep_draws_the_same_points_every_time(tmp_path: Path) -> None:
    path = tmp_path / "random.yaml"
    parameters = {
        "model": {
            "parameters": {
                "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
                "width": {"min": 3, "max": 9},
            }
        },
        "seed_everything": {"values": [0, 1]},
    }
    content = {
        "method": "random",
        "metric": {"name": "val/loss"},
        "parameters": parameters,
        "command": ["two-in-one", "fit", "${args}"],
    }
    path.write_text(yaml.safe_dump(content))
    points = [read_sweep_file(path).points(20) for _ in range(2)]
    assert points[0] == points[1]
    rates = [point.parameters["model.learning_rate"] for point in points[0]]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert all(isinstance(point.parameters["model.width"], int) for point in points[0])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"method": "bayes"}, "need W&B"),
        ({"metric": None}, "lacks metric"),
        ({"command": ["python", "train.py"]}, "two-in-one fit"),
        ({"method": "random"}, "--count"),
        ({"parameters": {"x": {"min": 0, "max": 1}}}, "parameters.x: a grid needs"),
    ],
)
def test_a_mistake_in_the_file_is_told_in_one_line(
    change: dict, expected: str, small_sweep: Path, tmp_path: Path, capsys
) -> None:
    content = yaml.safe_load(small_sweep.read_text()) | change
    small_sweep.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
    with pytest.raises(SystemExit) as exit_:
        main(["sweep", f"--out={tmp_path / 'sweeps'}", f"--file={small_sweep}"])
    assert exit_.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 1
    assert expected in lines[0]
