from itertools import combinations
from typing import Any

from lightning import Callback, LightningModule, Trainer

from lightning_modules.distill import DistillModule
from lightning_modules.homogenization.rotations import orthogonality_error


class GradientMonitor(Callback):
    """Logs what the homogenizer saw of the tasks' gradients at the shared feature.

    By task its norm, weight and, under RotoGrad, alpha; by pair of tasks the cosine, and over the
    epoch the share of steps in which it is negative: the tasks conflict. All of it is read off the
    Gramian that the backward has made, so it costs no pass of its own. The drift of the rotations
    from orthogonality costs a product of them, so it is taken once an epoch.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the last step's figures."""
        distillation = pl_module.distillation if isinstance(pl_module, DistillModule) else None
        if distillation is None or (last := distillation.homogenizer.last) is None:
            return
        norms, cosines, tasks = last.norms, last.cosines, distillation.tasks
        for k, task in enumerate(tasks):
            pl_module.log(f"grad/norm_{task}", norms[k])
            pl_module.log(f"grad/weight_{task}", last.weights[k])
            if last.alpha is not None:
                pl_module.log(f"grad/alpha_{task}", last.alpha[k])
        pairs = list(combinations(range(len(tasks)), 2))
        for i, j in pairs:
            # Two tasks are the paper's case: their one cosine needs no names.
            pair = f"_{tasks[i]}_{tasks[j]}" if len(pairs) > 1 else ""
            pl_module.log(f"grad/cosine{pair}", cosines[i, j])
            conflict = (cosines[i, j] < 0).float()
            # The ranks' Gramian is one: averaging equal values changes nothing.
            name = f"grad/conflict{pair}"
            pl_module.log(name, conflict, on_step=False, on_epoch=True, sync_dist=True)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the rotations' drift, max |RᵀR - I|."""
        if isinstance(pl_module, DistillModule) and pl_module.distillation is not None:
            drift = orthogonality_error(pl_module.distillation.homogenizer.rotations)
            pl_module.log("grad/rotation_drift", drift, sync_dist=True)
