from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import LightningModule

from callbacks.finite_loss import FiniteLossGuard
from errors import InputError


def test_a_loss_counts_once_in_the_mean_however_often_it_is_checked() -> None:
    """An epoch's end and a checkpoint check the last step again."""
    guard, module = FiniteLossGuard(explosion=10), LightningModule()
    module.weight = torch.nn.Parameter(torch.zeros(1))
    trainer: Any = SimpleNamespace(global_step=1, world_size=1, datamodule=None)

    def step(loss: float) -> None:
        batch = {"row": torch.zeros(1)}
        guard.on_train_batch_end(trainer, module, {"loss": torch.tensor(loss)}, batch, 0)

    for loss in (1.0, 1.0, 9.0):
        step(loss)
    for _ in range(3):
        guard.on_train_epoch_end(trainer, module)
        guard.on_save_checkpoint(trainer, module, {})
    step(14.5)  # of a mean of 0.95 * 1 + 0.05 * 9 = 1.4
    with pytest.raises(InputError, match=r"the loss is 14.5, after a mean of 1.4,"):
        guard.on_train_epoch_end(trainer, module)
