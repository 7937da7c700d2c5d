"""Failures on clusters: which checkpoints survive them, and what the user reads."""

import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch

from cli.main import main
from errors import InputError
from tests.support.disk import full_after
from tests.support.runs import checkpoint, distil, mistake
from training.plugins import WholeCheckpoints

STUDENT = ("student/mini", "methods/student")
SHORT = ["--run.test=false", "--trainer.check_val_every_n_epoch=9"]


def last(run: Path) -> Path:
    return run / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def two_epochs(tiny_crops: Path, tmp_path_factory) -> Path:
    """A student's run of two epochs of four steps; to be copied."""
    from tests.conftest import run_fit

    folder: Path = tmp_path_factory.mktemp("two") / "run"
    return run_fit(tiny_crops, folder, STUDENT, *SHORT, "--trainer.max_epochs=2")


@pytest.fixture
def run(two_epochs: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_epochs, tmp_path / "run")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--model.init_args.learning_rate=1e30"], ["not finite", "nan"]),
        (["--run.explosion=1e-9"], ["after a mean of"]),
    ],
)
def test_a_diverging_loss_leaves_finite_weights(
    argv: list[str], expected: list[str], fit, run: Path, capsys
) -> None:
    before = last(run).read_bytes()
    more = ["--run.resume=auto", "--run.save_every=1", "--trainer.max_epochs=4"]
    more[0] = f"--ckpt_path={last(run)}" if "learning_rate" in argv[0] else more[0]
    if "learning_rate" in argv[0]:
        more.pop(0)
        shutil.rmtree(run / "checkpoints")
    message = mistake(lambda: fit(STUDENT, *SHORT, *more, *argv, folder=run), capsys)
    assert any(word in message for word in expected), message
    assert "at step" in message
    assert "mini-FaceForensics++/" in message
    if last(run).is_file():
        state = torch.load(last(run), weights_only=True)["state_dict"]
        assert all(x.isfinite().all() for x in state.values() if isinstance(x, torch.Tensor))
    if "explosion" in argv[0]:
        kept = last(run).with_name("before-last.ckpt")
        assert before in (last(run).read_bytes(), kept.read_bytes())


def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    path, files = tmp_path / "last.ckpt", WholeCheckpoints()
    files.save_checkpoint({"step": 1}, path)
    with full_after(100_000), pytest.raises(InputError, match="File too large"):
        files.save_checkpoint({"weights": torch.rand(100_000)}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_an_interrupt_during_a_save_leaves_the_previous_checkpoint(tmp_path: Path) -> None:
    path, files = tmp_path / "last.ckpt", WholeCheckpoints()
    files.save_checkpoint({"step": 1}, path)
    with full_after(100_000, signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        files.save_checkpoint({"weights": torch.rand(100_000)}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}


def test_a_damaged_checkpoint_is_replaced_by_the_previous_one(fit, run: Path, capsys) -> None:
    whole = last(run).read_bytes()
    last(run).write_bytes(whole[: len(whole) // 2])
    more = [*SHORT, "--run.resume=auto", "--trainer.max_epochs=3"]
    fit(STUDENT, *more, "--data.test_datasets=[mini-FaceForensics++]", folder=run)
    printed = capsys.readouterr().out
    assert "last.ckpt is cut short or damaged" in printed
    assert f"resuming from {last(run).with_name('before-last.ckpt')}" in printed
    assert torch.load(last(run), weights_only=True)["global_step"] == 12
    for name in ("last.ckpt", "before-last.ckpt"):
        last(run).with_name(name).write_bytes(whole[:1000])
    assert "is damaged: delete the folder" in mistake(
        lambda: fit(STUDENT, *more, folder=run), capsys
    )


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--model.init_args.student.args.stem_width=16"], "model.init_args.student"),
        (["--data.batch_size=2"], "data.batch_size"),
        (["--seed_everything=1"], "seed"),
        (["--data.methods=[Deepfakes]"], "data.methods"),
        (["--run.resume=nowhere.ckpt"], "nowhere.ckpt: no such file"),
    ],
)
def test_another_run_is_not_resumed(argv: list[str], expected: str, fit, run: Path, capsys) -> None:
    argv = [*SHORT, f"--run.resume={last(run)}", *argv]
    assert expected in mistake(lambda: fit(STUDENT, *argv, folder=run), capsys)


def test_crops_of_another_data_set_are_refused(fit, run: Path, tiny_crops: Path, capsys) -> None:
    other = shutil.copytree(tiny_crops, run.parent / "other")
    manifest = other / "manifest.parquet"
    pd.read_parquet(manifest).iloc[:-1].to_parquet(manifest, index=False)
    argv = [*SHORT, "--run.resume=auto", f"--data.crops={other}"]
    message = mistake(lambda: fit(STUDENT, *argv, folder=run), capsys)
    assert "data.crops' manifest" in message


def test_the_settings_that_a_checkpoint_overrides_are_named(run: Path, capsys) -> None:
    argv = ["--model.init_args.weight_decay=0.5", f"--ckpt_path={last(run)}"]
    main(["fit", f"-c={run / 'config.yaml'}", *argv, "--trainer.max_epochs=2", "--run.test=false"])
    err = capsys.readouterr().err
    assert "warning: model.init_args.weight_decay is 0.05" in err
    assert "last.ckpt, not 0.5" in err
    assert err.count("warning: model") == 1


def test_the_best_score_survives_a_resumption(fit, tiny_teacher: Path, tmp_path: Path) -> None:
    """Also when the run's folder was moved."""
    argv = ["--run.test=false", "--trainer.max_epochs=2"]
    first = distil(fit, tiny_teacher, "student", *argv, folder=tmp_path / "run")
    best = torch.load(last(first), weights_only=True)["callbacks"]
    score = next(state["best_model_score"] for name, state in best.items() if "Checkpoint" in name)
    assert str(tmp_path).encode() not in last(first).read_bytes()
    first = first.rename(tmp_path / "moved")
    distil(fit, tiny_teacher, "student", *argv[:1], "--run.resume=auto",
           "--trainer.max_epochs=3", folder=first)  # fmt: skip
    best = torch.load(last(first), weights_only=True)["callbacks"]
    again = next(state["best_model_score"] for name, state in best.items() if "Checkpoint" in name)
    assert again >= score
    assert checkpoint(first).is_file()
