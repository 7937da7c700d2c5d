from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from lightning_modules.detector import Detector

TRAINED = "trained_weights"
"""Where a checkpoint keeps the weights that are stepped, beside their average."""


class WeightAverage(Callback):
    """Averages the detector's weights over the steps, where its `ema` gives a decay.

    The average is what is validated and what a checkpoint's `state_dict` holds, so it is what is
    tested, distilled from and deployed. The decay of step n is (1 + n) / (10 + n) at most, as in
    TensorFlow's ExponentialMovingAverage: the first weights are soon forgotten.

    Lightning's own callback copies the module before projectors and homogenizer are built, and
    averages rotations, which then are none. Here only the detector itself is averaged.
    """

    def __init__(self) -> None:
        self.average: dict[str, Tensor] = {}
        self.step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the weights there are, or go on with a checkpoint's average."""
        weights = _weights(pl_module)
        self.average = {n: self.average.get(n, w).to(w, copy=True) for n, w in weights.items()}
        self.step = trainer.global_step

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Average in the weights of a step, which several batches may have made together."""
        if not self.average or trainer.global_step == self.step:
            return
        assert isinstance(pl_module, Detector)
        assert pl_module.ema is not None
        decay = min(pl_module.ema, (1 + self.step) / (10 + self.step))
        self.step = trainer.global_step
        for name, weight in _weights(pl_module).items():
            average = self.average[name]
            if average.is_floating_point():
                average.lerp_(weight, 1 - decay)
            else:  # a count of batches
                average.copy_(weight)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average in the place of the weights."""
        self._swap(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the weights back, to be trained on."""
        self._swap(pl_module)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save the average as the weights, and beside it what training goes on from."""
        if self.average:
            checkpoint[TRAINED] = _weights(pl_module)
            checkpoint["state_dict"] = {**checkpoint["state_dict"], **self.average}

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take up both again to train on; the average has been loaded as the weights by now."""
        fits = trainer.state.fn == TrainerFn.FITTING
        trained = checkpoint.get(TRAINED, {}) if fits else {}
        for name, weight in _weights(pl_module).items():
            if name in trained:
                self.average[name] = weight.clone()
                weight.copy_(trained[name])

    @torch.no_grad()
    def _swap(self, pl_module: LightningModule) -> None:
        weights = _weights(pl_module)
        for name, average in self.average.items():
            kept = weights[name].clone()
            weights[name].copy_(average)
            average.copy_(kept)


def _weights(module: LightningModule) -> dict[str, Tensor]:
    """What is averaged, by its name in a checkpoint; nothing where it is not asked for."""
    if not isinstance(module, Detector) or module.ema is None:
        return {}
    prefix = next(name for name, part in module.named_modules() if part is module.network)
    state = module.network.state_dict(prefix=f"{prefix}.")
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}
