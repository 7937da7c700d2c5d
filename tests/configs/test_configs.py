"""Every config trains for two steps on the tiny crops."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from cli.main import main
from experiments.recipe import find_config, read_recipe
from tests.conftest import CONFIGS
from tests.support.runs import checkpoint

TWO_STEPS = [
    "--data.image_size=64",
    "--data.batch_size=4",
    "--data.num_workers=0",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.strategy=auto",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=2",
    "--trainer.check_val_every_n_epoch=9",
    "--trainer.enable_progress_bar=false",
]


# Small models of the same families, for teachers of hundreds of millions of parameters.
SMALL = {"clip": "vit_xsmall_patch16_clip_224", "pe-core": "vit_pe_core_tiny_patch16_384"}


def names(folder: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / folder).glob("*.yaml"))


def train(crops: Path, run: Path, configs: list[str], *argv: str) -> None:
    """Two steps of a run, which must have moved the weights."""
    paths = [f"-c={CONFIGS / name}.yaml" for name in configs]
    main(["fit", *paths, f"--data.crops={crops}", f"--run.dir={run}", *TWO_STEPS, *argv])
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True, mmap=True)
    assert saved["global_step"] == 2
    moments = saved["optimizer_states"][0]["state"].values()
    assert all(moment["exp_avg"].isfinite().all() for moment in moments)


def renamed(crops: Path, folder: Path, config: str) -> Path:
    """The tiny crops as those of the compression that a config is for."""
    shutil.copytree(crops, folder)
    manifest = pd.read_parquet(crops / "manifest.parquet")
    compression = config.rpartition("-")[2] if config in ("ffpp-c40", "ffpp-raw") else "c23"
    manifest["compression"] = manifest["compression"].cat.rename_categories({"c23": compression})
    manifest.to_parquet(folder / "manifest.parquet", index=False)
    return folder


@pytest.mark.parametrize("teacher", names("teacher"))
def test_every_teacher_trains(teacher: str, tiny_crops: Path, tmp_path: Path) -> None:
    configs = ["data/ffpp", "trainer/ffpp", f"teacher/{teacher}"]
    branches = "--model.init_args.branches"
    argv = [f"{branches}.{name}.pretrained=false" for name in ("spatial", "frequency")]
    if teacher in SMALL:
        argv += [f"{branches}.spatial.name={SMALL[teacher]}", f"{branches}.spatial.input_size=64"]
        argv.append(f"{branches}.frequency.name=resnet10t")
    train(tiny_crops, tmp_path / "run", configs, *argv)


@pytest.mark.parametrize("student", names("student"))
def test_every_student_is_distilled(
    student: str, tiny_crops: Path, tiny_teacher: Path, tmp_path: Path
) -> None:
    configs = ["data/ffpp", "trainer/ffpp", f"student/{student}", "methods/two-in-one"]
    argv = [f"--model.init_args.teacher={checkpoint(tiny_teacher)}"]
    argv.append("--model.init_args.student.pretrained=false")
    train(tiny_crops, tmp_path / "run", configs, *argv)


@pytest.mark.parametrize("data", names("data"))
def test_every_data_config_feeds(data: str, tiny_crops: Path, tmp_path: Path) -> None:
    crops = renamed(tiny_crops, tmp_path / "crops", data)
    base = [] if data in ("mini", "ffpp") else ["data/ffpp"]
    configs = [*base, f"data/{data}", "trainer/mini", "student/mini", "methods/student"]
    train(crops, tmp_path / "run", configs)


@pytest.mark.parametrize("trainer", names("trainer"))
def test_every_trainer_config_trains(trainer: str, tiny_crops: Path, tmp_path: Path) -> None:
    configs = ["data/mini", f"trainer/{trainer}", "student/mini", "methods/student"]
    train(tiny_crops, tmp_path / "run", configs)


def test_the_recipe_of_eight_gpus_trains(tiny_crops: Path, tmp_path: Path) -> None:
    configs = ["data/ffpp", "ffpp-8gpu/trainer", "ffpp-8gpu/student", "methods/student"]
    train(tiny_crops, tmp_path / "run", configs, "--model.init_args.student.pretrained=false")


def test_the_recipe_of_eight_gpus_differs_in_devices_batch_and_learning_rates() -> None:
    one, eight = (
        [yaml.safe_load(path.read_text()) for path in read_recipe(name).config_files()]
        for name in ("ffpp", "ffpp-8gpu")
    )
    batch = eight[1].pop("data")["batch_size"]
    assert batch / eight[1]["trainer"]["devices"] >= 32
    one[1]["trainer"] |= {"devices": 8, "strategy": "ddp"}
    scale = (batch / one[0]["data"]["batch_size"]) ** 0.5
    for parts in one[2:]:
        parts["model"]["init_args"]["learning_rate"] *= scale
    assert eight == one


def test_the_experiment_trains_the_student_of_the_miniature_for_longer() -> None:
    short, longer = (
        yaml.safe_load(find_config(read_recipe(name).student).read_text())
        for name in ("mini", "claims")
    )
    assert longer.pop("trainer") == {"max_epochs": 120}
    assert longer == short
