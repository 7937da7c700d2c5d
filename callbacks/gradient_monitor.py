from itertools import combinations
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from lightning_modules.distill import DistillModule
from lightning_modules.feature_distillation import FeatureDistillation
from lightning_modules.homogenization.rotations import orthogonality_error


class GradientMonitor(Callback):
    """Logs norms, weights and cosines of the tasks' gradients at the shared feature.

    Per task: norm, weight and, for RotoGrad, alpha. Per pair of tasks: the cosine, and the share of
    an epoch's steps in which it is negative. All follow from the Gramian of the backward pass. The
    rotations' drift from orthogonality needs a matrix product and is logged once per epoch.
    """

    def __init__(self) -> None:
        self._steps = 0
        self._conflicts: torch.Tensor | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the conflicts; log the step's values in logging steps."""
        distillation = distillation_of(pl_module)
        if distillation is None or (last := distillation.homogenizer.last) is None:
            return
        conflicts = (last.gramian < 0).float()
        before = self._conflicts
        self._conflicts = conflicts if before is None else conflicts + before.to(conflicts.device)
        self._steps += 1
        # As in Detector.accumulate_gradients.
        if not trainer._logger_connector.should_update_logs:
            return
        columns = {"norm": last.norms, "weight": last.weights, "alpha": last.alpha}
        for k, task in enumerate(distillation.tasks):
            for name, values in columns.items():
                if values is not None:
                    pl_module.log(f"grad/{name}_{task}", values[k])
        cosines = last.cosines
        for pair, (i, j) in _pairs(distillation.tasks).items():
            pl_module.log(f"grad/cosine{pair}", cosines[i, j])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the share of conflicts and the rotations' drift, max |RᵀR - I|."""
        distillation = distillation_of(pl_module)
        if distillation is None:
            return
        if self._conflicts is not None:
            # All ranks hold one Gramian: averaging equal values changes nothing.
            for pair, (i, j) in _pairs(distillation.tasks).items():
                share = self._conflicts[i, j] / self._steps
                pl_module.log(f"grad/conflict{pair}", share, sync_dist=True)
            self._steps, self._conflicts = 0, None
        drift = orthogonality_error(distillation.homogenizer.rotations)
        pl_module.log("grad/rotation_drift", drift, sync_dist=True)

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch's counts, for a run that resumes within the epoch."""
        return {"steps": self._steps, "conflicts": self._conflicts}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the epoch's counts."""
        self._steps, self._conflicts = state_dict["steps"], state_dict["conflicts"]


def distillation_of(module: LightningModule) -> FeatureDistillation | None:
    """Return the feature distillation of a module, if it distils features."""
    return module.distillation if isinstance(module, DistillModule) else None


def _pairs(tasks: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Return the pairs of tasks by suffix, which is empty for the single pair of two tasks."""
    pairs = list(combinations(range(len(tasks)), 2))
    return {f"_{tasks[i]}_{tasks[j]}" if len(pairs) > 1 else "": (i, j) for i, j in pairs}
