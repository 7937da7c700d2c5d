"""The folder of a run that names none."""

from pathlib import Path

import pytest
import yaml

from cli.main import main
from tests.conftest import CONFIGS

NAMES = ("data/mini", "trainer/mini", "student/mini", "methods/student")


def fit(crops: Path, *argv: str) -> None:
    """Train a student in the working folder, as a W&B agent's command does."""
    small = ["--data.image_size=64", "--data.batch_size=4", "--trainer.accelerator=cpu"]
    short = ["--trainer.max_epochs=1", "--trainer.enable_progress_bar=false"]
    configs = [f"-c={CONFIGS / name}.yaml" for name in NAMES]
    main(["fit", *configs, f"--data.crops={crops}", *small, *short, *argv])


def test_points_of_a_wandb_agent_have_folders_of_their_own(
    tiny_crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    for run, rate in (("run-a", "0.001"), ("run-b", "0.002")):
        monkeypatch.setenv("WANDB_RUN_ID", run)
        fit(tiny_crops, f"--model.init_args.learning_rate={rate}")
        folder = tmp_path / "runs" / "sweeps" / "sweep1" / run
        config = yaml.safe_load((folder / "config.yaml").read_text())
        assert config["run"]["dir"] == f"runs/sweeps/sweep1/{run}"
        assert config["model"]["init_args"]["learning_rate"] == float(rate)
        assert (folder / "checkpoints" / "best.ckpt").is_file()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["sweeps"]
    assert len(list((tmp_path / "runs" / "sweeps" / "sweep1").iterdir())) == 2


def test_a_run_outside_of_a_sweep_is_named_by_method_and_seed(
    tiny_crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")  # of an agent only together with a run's
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    fit(tiny_crops, "--seed_everything=3")
    assert (tmp_path / "runs" / "student-seed3" / "config.yaml").is_file()
