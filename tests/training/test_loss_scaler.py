"""Training under a loss scaler; on a CPU it is given as a plugin."""

from pathlib import Path

import torch

from tests.support.runs import distil


def test_a_skipped_step_moves_neither_schedule_nor_rotations(
    fit, tiny_teacher: Path, tmp_path: Path
) -> None:
    """The first scale overflows float16 in every backward pass, and then it is halved."""
    scaler = "{class_path: torch.amp.GradScaler, init_args: {device: cpu, init_scale: 1.0e+37}}"
    plugin = (
        "{class_path: lightning.pytorch.plugins.MixedPrecision, init_args: "
        f"{{precision: 16-mixed, device: cpu, scaler: {scaler}}}}}"
    )
    run = distil(fit, tiny_teacher, "two-in-one", f"--trainer.plugins=[{plugin}]")
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["lr_schedulers"][0]["last_epoch"] == 0
    assert saved["MixedPrecision"]["scale"] < 1e37
    rotations = saved["state_dict"]["distillation.homogenizer.rotations"]
    assert torch.equal(rotations, torch.eye(rotations.shape[1]).expand_as(rotations))
    assert saved["state_dict"]["distillation.homogenizer.weighting.calls"] == 0
