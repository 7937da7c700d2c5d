"""Interrupted runs end as the uninterrupted ones do, to the bit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tests.cli.runs import checkpoint

CONFIGS = Path(__file__).parents[2] / "configs"


def command(run: Path, crops: Path, model: list[str], *words: str) -> list[str]:
    """`two-in-one fit` as a process of its own: six epochs of four steps."""
    configs = ["data/mini", "trainer/mini", *model]
    return [
        *(sys.executable, "-m", "cli", "fit"),
        *(f"-c={CONFIGS / name}.yaml" for name in configs),
        f"--data.crops={crops}",
        "--data.image_size=64",
        "--data.batch_size=4",
        "--trainer.accelerator=cpu",
        "--trainer.max_epochs=6",
        "--trainer.log_every_n_steps=1",
        "--trainer.enable_progress_bar=false",
        "--run.save_every=1",
        "--run.resume=true",
        f"--run.dir={run}",
        *words,
    ]


def wait_for_step(run: Path, step: int) -> None:
    """Wait until a run has saved this step."""
    last = run / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        time.sleep(0.01)
        try:
            if torch.load(last, weights_only=True)["global_step"] >= step:
                return
        except (OSError, RuntimeError, EOFError):
            continue  # not there yet
    pytest.fail(f"step {step} was never saved")


def equal(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(equal, first, second))
    return bool(first == second)


@pytest.fixture(scope="module", params=["teacher", "two-in-one", "two-in-one, two ranks"])
def model(request, tiny_teacher: Path) -> tuple[list[str], list[str]]:
    """Configs and words of a model; the student has dropout, so that randomness matters."""
    if request.param == "teacher":
        return ["teacher/mini"], []
    words = [
        f"--model.init_args.teacher={checkpoint(tiny_teacher)}",
        "--model.init_args.homogenization.burn_in=6",
        "--model.init_args.student.args={channels: [8, 8, 8, 16], stem_width: 8, "
        "drop_path_rate: 0.3}",
    ]
    if "ranks" in request.param:
        words += ["--trainer.devices=2", "--trainer.strategy=ddp"]
    return ["student/mini", "methods/two-in-one"], words


@pytest.fixture(scope="module")
def whole(model, tiny_crops: Path, tmp_path_factory) -> Path:
    """The uninterrupted run."""
    configs, words = model
    run: Path = tmp_path_factory.mktemp("whole") / "run"
    subprocess.run(
        command(run, tiny_crops, configs, *words), check=True, capture_output=True, text=True
    )
    return run


@pytest.mark.parametrize(("stop", "step"), [(signal.SIGKILL, 2), (signal.SIGTERM, 9)])
def test_a_stopped_run_goes_on_to_the_same_end(
    stop: signal.Signals, step: int, model, whole: Path, tiny_crops: Path, tmp_path: Path
) -> None:
    configs, words = model
    words = command(tmp_path / "run", tiny_crops, configs, *words)
    stopped = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_for_step(tmp_path / "run", step)
    os.killpg(stopped.pid, stop)  # every rank, as a cluster does
    stopped.wait(timeout=60)
    assert stopped.returncode == (143 if stop == signal.SIGTERM else -signal.SIGKILL)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    reached = torch.load(last, weights_only=True)["global_step"]
    assert step <= reached
    if reached == 24:
        pytest.skip("it had ended before the signal came")
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "going on from" in done.stdout

    first, second = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
        for run in (whole, tmp_path / "run")
    )
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step"):
        assert equal(first[part], second[part]), part
    curves = [pd.read_csv(run / "metrics.csv") for run in (whole, tmp_path / "run")]
    for column in ("train/loss", "val/video_auc"):
        expected, got = (c[["step", column]].dropna().set_index("step") for c in curves)
        pd.testing.assert_frame_equal(expected.loc[got.index], got)
        # Lightning logs a step after its checkpoint: that one may be missing.
        assert len(got) >= len(expected) - 1
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["seed"] == 0
