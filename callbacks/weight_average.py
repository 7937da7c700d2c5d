from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from callbacks.gradient_monitor import distillation_of
from lightning_modules.detector import Detector
from lightning_modules.distill import CLASSIFIER

TRAINED = "trained_weights"
"""Key of the trained weights in a checkpoint whose `state_dict` holds their average."""


class WeightAverage(Callback):
    """Keeps an exponential moving average of the detector's weights if its `ema` is set.

    The average is validated and saved as a checkpoint's `state_dict`, and therefore tested,
    distilled and deployed. The decay of step n is (1 + n) / (10 + n) at most, as in TensorFlow's
    ExponentialMovingAverage, so the first weights fade quickly. Lightning's own callback would
    average rotations, too, whose mean is no rotation. If a rotation R is applied to the input of a
    weight W, the deployed weight W R is averaged.
    """

    def __init__(self) -> None:
        self.average: dict[str, Tensor] = {}
        self.kept: dict[str, Tensor] = {}
        self.step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start from the current weights, or from a checkpoint's average."""
        weights = _deployed(pl_module, _weights(pl_module))
        self.average = {n: self.average.get(n, w).to(w, copy=True) for n, w in weights.items()}
        self.step = trainer.global_step

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update the average after an optimizer step, which may span several batches."""
        if not self.average or trainer.global_step == self.step:
            return
        assert isinstance(pl_module, Detector)
        assert pl_module.ema is not None
        decay = min(pl_module.ema, (1 + self.step) / (10 + self.step))
        self.step = trainer.global_step
        for name, weight in _deployed(pl_module, _weights(pl_module)).items():
            average = self.average[name]
            if average.is_floating_point():
                average.lerp_(weight, 1 - decay)
            else:  # number of batches
                average.copy_(weight)

    @torch.no_grad()
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate the average."""
        weights = _weights(pl_module)
        self.kept = {name: weight.clone() for name, weight in weights.items()}
        for name, average in _deployed(pl_module, self.average, inverse=True).items():
            weights[name].copy_(average)

    @torch.no_grad()
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the trained weights."""
        for name, weight in _weights(pl_module).items():
            weight.copy_(self.kept.pop(name))

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save the average as the weights, and the trained weights under a key of their own."""
        if self.average:
            checkpoint[TRAINED] = _weights(pl_module)
            average = _deployed(pl_module, self.average, inverse=True)
            checkpoint["state_dict"] = {**checkpoint["state_dict"], **average}

    def state_dict(self) -> dict[str, Any]:
        """Return the exact average: rotating the saved weights forth and back would round it."""
        return {"average": self.average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the average."""
        self.average = state_dict["average"]

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore the trained weights for training; the average is loaded as the weights."""
        fits = trainer.state.fn == TrainerFn.FITTING
        trained = checkpoint.get(TRAINED, {}) if fits else {}
        for name, weight in _weights(pl_module).items():
            if name in trained:
                weight.copy_(trained[name])


def _weights(module: LightningModule) -> dict[str, Tensor]:
    """Return the averaged weights by their names in a checkpoint; none without `ema`."""
    if not isinstance(module, Detector) or module.ema is None:
        return {}
    prefix = next(name for name, part in module.named_modules() if part is module.network)
    state = module.network.state_dict(prefix=f"{prefix}.")
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _deployed(
    module: LightningModule, weights: dict[str, Tensor], inverse: bool = False
) -> dict[str, Tensor]:
    """Convert the classifier's weight W to its deployed form W R, or back."""
    distillation = distillation_of(module)
    if not weights or distillation is None or not distillation.classified:
        return weights
    rotation = distillation.homogenizer.rotations[0].to(weights[CLASSIFIER])
    return weights | {CLASSIFIER: weights[CLASSIFIER] @ (rotation.T if inverse else rotation)}
