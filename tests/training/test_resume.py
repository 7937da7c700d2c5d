"""Interrupted runs end like uninterrupted ones, bit for bit."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tests.support.processes import complete, exit_status, start, start_afresh
from tests.support.runs import checkpoint

CONFIGS = Path(__file__).parents[2] / "configs"


def argv_of(run: Path, crops: Path, model: list[str], *argv: str) -> list[str]:
    """Return the arguments of a `fit` of six epochs with four steps each."""
    configs = ["data/mini", "trainer/mini", *model]
    return [
        "fit",
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
        *argv,
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
            continue  # not yet written
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
    """Configs and arguments of a model; the student has dropout, so randomness matters."""
    if request.param == "teacher":
        return ["teacher/mini"], []
    argv = [
        f"--model.init_args.teacher={checkpoint(tiny_teacher)}",
        "--model.init_args.homogenization.burn_in=6",
        "--model.init_args.student.args={channels: [8, 8, 8, 16], stem_width: 8, "
        "drop_path_rate: 0.3}",
    ]
    if "ranks" not in request.param:
        argv.append("--model.init_args.ema=0.9")
    else:
        argv += ["--trainer.devices=2", "--trainer.strategy=ddp_fork"]
    return ["student/mini", "methods/two-in-one"], argv


@pytest.fixture(scope="module")
def whole(model, tiny_crops: Path, tmp_path_factory) -> Path:
    """The uninterrupted run."""
    configs, argv = model
    run: Path = tmp_path_factory.mktemp("whole") / "run"
    complete(argv_of(run, tiny_crops, configs, *argv), run.with_name("log.txt"))
    return run


@pytest.mark.parametrize(("stop", "step"), [(signal.SIGKILL, 2), (signal.SIGTERM, 9)])
def test_a_stopped_run_resumes_to_the_same_end(
    stop: signal.Signals, step: int, model, whole: Path, tiny_crops: Path, tmp_path: Path
) -> None:
    configs, argv = model
    argv = argv_of(tmp_path / "run", tiny_crops, configs, *argv)
    log = tmp_path / "log.txt"
    process: Any = None
    if stop == signal.SIGTERM and "--trainer.devices=2" in argv:
        # A launcher that forks its ranks would be killed by the signal itself.
        process = start_afresh([*argv, "--trainer.strategy=ddp"], log)
    else:
        process = start(argv, log)
    wait_for_step(tmp_path / "run", step)
    os.killpg(process.pid, stop)  # every rank, as a cluster does
    status = 143 if stop == signal.SIGTERM else -signal.SIGKILL
    assert exit_status(process) == status
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    reached = torch.load(last, weights_only=True)["global_step"]
    assert step <= reached
    if reached == 24:
        pytest.skip("it had ended before the signal arrived")
    assert "resuming from" in complete(argv, log)

    first, second = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
        for run in (whole, tmp_path / "run")
    )
    # Lightning counts an epoch twice if it is started again.
    assert first.keys() == second.keys()
    for part in first.keys() - {"loops"}:
        assert equal(first[part], second[part]), part
    curves = [pd.read_csv(run / "metrics.csv") for run in (whole, tmp_path / "run")]
    for column in ("train/loss", "val/video_auc"):
        expected, got = (c[["step", column]].dropna().set_index("step") for c in curves)
        pd.testing.assert_frame_equal(expected.loc[got.index], got)
        # Lightning logs a step after its checkpoint: that one may be missing.
        assert len(got) >= len(expected) - 1
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["seed"] == 0
