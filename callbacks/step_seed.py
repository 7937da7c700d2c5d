from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer


class StepSeed(Callback):
    """Seeds every step by the run's seed, the epoch, the batch and the rank.

    A resumed run then repeats random draws such as dropout without a saved generator state.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch's generators."""
        key = (self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        seed = int(np.random.SeedSequence(key).generate_state(1)[0])
        if trainer.strategy.root_device.type == "cpu":
            # torch.manual_seed formats a stack trace per kind of accelerator that may come later.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)
