"""Checkpoints within an epoch, when an optimizer step spans several batches."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.runs import checkpoint

MODELS = ("student/mini", "methods/student")


@pytest.mark.parametrize(
    ("accumulate", "validation", "batch", "sigterm"),
    [(3, 8, 1, True), (2, 4, 5, False)],
    ids=["SIGTERM in a step", "a step that ends at a validation"],
)
def test_a_resumed_run_repeats_no_part_of_a_step(
    accumulate: int,
    validation: int,
    batch: int,
    sigterm: bool,
    fit: Callable[..., Path],
    tmp_path: Path,
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    argv = ["--data.batch_size=2", "--run.save_every=1", "--run.test=false"]
    argv += [f"--model.init_args.accumulate={accumulate}"]
    argv += [f"--trainer.val_check_interval={validation}"]
    fit(MODELS, *argv, folder=whole)
    stop = ["--trainer.callbacks+=tests.support.runs.StopAtBatch"]
    stop += [f"--trainer.callbacks.batch={batch}", f"--trainer.callbacks.sigterm={sigterm}"]
    with pytest.raises(SystemExit if sigterm else RuntimeError):
        fit(MODELS, *argv, *stop, folder=parts)
    last = checkpoint(parts).with_name("last.ckpt")
    fit(MODELS, *argv, f"--ckpt_path={last}", folder=parts)
    first, second = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (whole, parts)
    )
    assert all(torch.equal(value, second[name]) for name, value in first.items())
