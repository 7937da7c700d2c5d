"""Settings that cannot work: one line with exit status 2, and nothing is written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.runs import checkpoint, mistake, refused

STUDENT = ("student/mini", "methods/student")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("trainer.devices=0", "trainer.devices is 0: expected auto, -1 for all, a number from 1"),
        ("trainer.devices=-2", "trainer.devices is -2: expected"),
        ("trainer.devices=two", "trainer.devices is two: expected"),
        ("trainer.devices=[]", "trainer.devices is []: expected"),
        ("trainer.num_nodes=0", "trainer.num_nodes is 0: expected a number at least 1"),
        ("trainer.strategy=dpp", "trainer.strategy 'dpp' does not exist: did you mean ddp"),
        (
            "trainer.accelerator=cdua",
            "trainer.accelerator 'cdua' does not exist: did you mean cuda",
        ),
        ("trainer.precision=bf16_mixed", "trainer.precision"),
        ("trainer.max_epochs=0", "trainer.max_epochs is 0: expected a number at least 1"),
        ("trainer.max_epochs=-2", "trainer.max_epochs is -2: expected"),
        ("trainer.max_epochs=-1", "set trainer.max_steps too"),
        ("trainer.max_epochs=ten", "trainer.max_epochs"),
        ("trainer.max_steps=0", "trainer.max_steps is 0: expected"),
        ("trainer.max_time=soon", "soon"),
        ("trainer.limit_train_batches=0", "trainer.limit_train_batches is 0: expected"),
        ("trainer.limit_train_batches=-1", "trainer.limit_train_batches is -1: expected"),
        ("trainer.limit_train_batches=1.5", "trainer.limit_train_batches is 1.5: expected"),
        (
            "trainer.limit_val_batches=-1",
            "trainer.limit_val_batches is -1: expected a number at least 0",
        ),
        ("trainer.limit_test_batches=-0.5", "trainer.limit_test_batches is -0.5: expected"),
        ("trainer.overfit_batches=-1", "trainer.overfit_batches is -1: expected"),
        ("trainer.limit_val_batches=0", "no epoch is validated"),
        ("trainer.check_val_every_n_epoch=2", "no epoch is validated"),
        ("trainer.check_val_every_n_epoch=0", "trainer.check_val_every_n_epoch is 0: expected"),
        ("trainer.val_check_interval=0", "trainer.val_check_interval is 0: expected"),
        ("trainer.val_check_interval=-0.5", "trainer.val_check_interval is -0.5: expected"),
        ("trainer.num_sanity_val_steps=-2", "trainer.num_sanity_val_steps is -2: expected"),
        ("trainer.log_every_n_steps=-1", "trainer.log_every_n_steps is -1: expected"),
        ("trainer.profiler=simpel", "profiler"),
        ("trainer.barebones=true", "barebones"),
        ("trainer.enable_checkpointing=false", "enable_checkpointing"),
        ("trainer.reload_dataloaders_every_n_epochs=-1", "reload_dataloaders_every_n_epochs"),
        ("trainer.fast_dev_run=true", "trainer.fast_dev_run saves no checkpoint: use"),
        ("trainer.accumulate_grad_batches=2", "use model.init_args.accumulate"),
        ("run.save_every=0", "run.save_every is 0: expected a number at least 1"),
        ("run.save_every=-5", "run.save_every is -5: expected"),
        ("run.explosion=0", "run.explosion is 0.0: expected a number above 0"),
        ("run.explosion=nan", "run.explosion"),
        ("run.aggregation=maen", "did you mean mean"),
        ("run.dir=/dev/null", "run.dir /dev/null: /dev/null is not a folder: choose another"),
        ("run.dir=/dev/null/run", "/dev/null is not a folder"),
        ("seed_everything=-1", "seed_everything is -1: expected a number at least 0"),
        ("seed_everything=true", "seed"),
    ],
)
def test_a_setting_that_cannot_work_is_named(
    argument: str, expected: str, fit: Callable[..., Path], tmp_path: Path, capsys
) -> None:
    message = mistake(lambda: fit(STUDENT, f"--{argument}"), capsys)
    assert expected in message
    assert not list(tmp_path.iterdir())


def damaged(kind: str, path: Path) -> Path:
    """Make something at a path that is neither a configuration nor a checkpoint."""
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("nowhere")
    elif kind == "not UTF-8":
        path.write_bytes(b"data: \xff\xfe")
    elif kind == "not YAML":
        path.write_text("a: b: c: [")
    elif kind == "list":
        path.write_text("- 1\n")
    elif kind == "theirs":
        torch.save({"state_dict": {}}, path)
    return path


FOUND = {
    "missing": "no such file",
    "folder": "a folder",
    "FIFO": "not a regular file",
    "link": "a link to a file that does not exist",
}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [*FOUND.items(), ("not UTF-8", "not UTF-8"), ("not YAML", "not YAML"), ("list", "array")],
)
@pytest.mark.parametrize("option", ["-c", "--config"])
def test_what_is_no_configuration_is_refused(
    kind: str, expected: str, option: str, tmp_path: Path, capsys
) -> None:
    path = damaged(kind, tmp_path / "given.yaml")
    arguments = [option, path] if option == "-c" else [f"{option}={path}"]
    message = refused(["fit", *arguments], capsys)
    assert f"{path}: " in message
    assert expected in message


@pytest.mark.parametrize(
    ("kind", "expected"),
    [*FOUND.items(), ("not YAML", "another kind of file"), ("theirs", "another kind of file")],
)
@pytest.mark.parametrize("option", ["ckpt_path", "run.resume"])
def test_what_is_no_checkpoint_is_refused(
    kind: str, expected: str, option: str, fit: Callable[..., Path], tmp_path: Path, capsys
) -> None:
    path = damaged(kind, tmp_path / "given.ckpt")
    message = mistake(lambda: fit(STUDENT, f"--{option}={path}"), capsys)
    assert f"{path}: {expected}" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["ckpt_path", "run.resume"])
def test_a_checkpoint_of_another_model_is_refused(
    option: str, fit: Callable[..., Path], tiny_teacher: Path, tmp_path: Path, capsys
) -> None:
    argument = f"--{option}={checkpoint(tiny_teacher)}"
    message = mistake(lambda: fit(STUDENT, argument), capsys)
    assert "TeacherModule" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["validate", "test"])
def test_a_missing_checkpoint_is_named(command: str, tiny_student: Path, capsys) -> None:
    message = refused([command, f"-c={tiny_student / 'config.yaml'}"], capsys)
    assert f"{command} needs a checkpoint: pass --ckpt_path" in message
    assert "student-seed0/checkpoints/best.ckpt" in message


def test_what_lightning_refuses_late_is_one_line(fit: Callable[..., Path], capsys) -> None:
    """Only the data module knows how many batches an epoch has."""
    message = mistake(lambda: fit(STUDENT, "--trainer.val_check_interval=999"), capsys)
    assert "`val_check_interval` (999)" in message


def test_a_run_that_ended_before_its_first_validation_is_not_tested(
    fit: Callable[..., Path], tmp_path: Path, capsys
) -> None:
    arguments = ["--trainer.max_steps=2", "--trainer.max_epochs=-1"]
    message = mistake(lambda: fit(STUDENT, *arguments), capsys)
    assert "training ended before its first validation" in message
    assert not (tmp_path / "run" / "results.json").exists()
