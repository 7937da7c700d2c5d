from typing import Any

from lightning import Callback, LightningModule, Trainer

from lightning_modules.distill import DistillModule


class GradientMonitor(Callback):
    """Logs what the homogenizer saw: norms, cosine, weights of the distillation tasks.

    Everything is read off the Gramian that the backward has made, so it costs no pass of its own.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the last step's figures."""
        if not isinstance(pl_module, DistillModule) or pl_module.homogenizer is None:
            return
        last = pl_module.homogenizer.last
        if last is None:
            return
        for k, target in enumerate(pl_module.targets):
            pl_module.log(f"grad/norm_{target}", last.norms[k])
            pl_module.log(f"grad/weight_{target}", last.weights[k])
        if len(pl_module.targets) == 2:
            pl_module.log("grad/cosine", last.cosines[0, 1])
