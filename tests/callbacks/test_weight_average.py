"""The average of the weights: what is validated, saved and tested in their place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from cli.main import main
from lightning_modules.distill import DistillModule
from tests.conftest import run_fit
from tests.support.runs import Recorder, checkpoint, distil

EMA = "--model.init_args.ema"


@pytest.fixture(scope="module")
def averaged(tiny_crops: Path, tiny_teacher: Path, tmp_path_factory) -> Path:
    """A distilled student's run of two epochs of four steps, with its weights averaged."""
    folder: Path = tmp_path_factory.mktemp("ema") / "run"

    def fit(configs: tuple[str, ...], *argv: str, **_: Any) -> Path:
        return run_fit(tiny_crops, folder, configs, *argv)

    recorder = "--trainer.callbacks+=tests.support.runs.Recorder"
    return distil(fit, tiny_teacher, "two-in-one", f"{EMA}=0.6", "--trainer.max_epochs=2", recorder)


def test_it_is_the_exponential_moving_average(averaged: Path) -> None:
    expected, *steps = Recorder.steps
    assert len(steps) == 8
    for n, weights in enumerate(steps):
        decay = min(0.6, (1 + n) / (10 + n))
        expected = {k: decay * v + (1 - decay) * weights[k] for k, v in expected.items()}
    saved = torch.load(averaged / "checkpoints" / "last.ckpt", weights_only=True)
    for name, average in expected.items():
        torch.testing.assert_close(saved["state_dict"][f"student.{name}"], average)
        assert torch.equal(saved["trained_weights"][f"student.{name}"], steps[-1][name])
    assert not torch.equal(expected["classifier.weight"], steps[-1]["classifier.weight"])
    # Of the rotations no average is taken: it would be no rotation.
    assert not [name for name in saved["trained_weights"] if "distillation" in name]


def test_of_a_rotated_classifier_the_deployed_weight_is_averaged(
    fit: Callable[..., Path], tiny_teacher: Path
) -> None:
    recorder = "--trainer.callbacks+=tests.support.runs.Recorder"
    rotated = "--model.init_args.homogenization.classification=true"
    rate = "--model.init_args.homogenization.rotation_lr=2"
    run = distil(fit, tiny_teacher, "two-in-one", f"{EMA}=0.6", recorder, rotated, rate)
    expected, *steps = (weights["classifier.weight"] for weights in Recorder.steps)
    for n, weight in enumerate(steps):
        decay = min(0.6, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * weight
    student = DistillModule.load(run / "checkpoints" / "last.ckpt").student
    torch.testing.assert_close(student.classifier.weight, expected)


def test_what_was_validated_is_what_is_saved_and_tested(averaged: Path) -> None:
    tested = pd.read_csv(averaged / "scores-val.csv")
    score, label = (torch.tensor(tested[name].to_numpy()).double() for name in ("score", "label"))
    epochs = pd.read_csv(averaged / "metrics.csv").dropna(subset="val/video_auc")
    best = epochs.loc[epochs["val/video_auc"].idxmax(), "val/loss"]
    assert F.binary_cross_entropy(score, label).item() == pytest.approx(best, rel=1e-5)
    scores = (averaged / "scores.csv").read_bytes()
    main(["test", f"-c={averaged / 'config.yaml'}", f"--ckpt_path={checkpoint(averaged)}"])
    assert (averaged / "scores.csv").read_bytes() == scores


@pytest.mark.parametrize("decay", ["0", "1", "-0.5"])
def test_a_decay_that_is_none_is_refused(
    decay: str, fit: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        fit(("student/mini", "methods/student"), f"{EMA}={decay}")
    assert "expected a number above 0 and below 1" in capsys.readouterr().err
