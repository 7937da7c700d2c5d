"""What the recipe's runs record."""

import json
import os
import signal
import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from benchmarks.device.timing import wait_for
from lightning_modules.homogenization.rotations import orthogonality_error

FILE = "watched.json"
STOP = "TWO_IN_ONE_STOP_AFTER"
"""Environment variable: the step after which the run sends itself SIGTERM."""


class Watch(Callback):
    """Times the steps of a run, checks its losses and weights, and stops it once.

    In every second epoch the device is awaited after each step, which separates loading from
    computing; the other epochs run freely.
    """

    def __init__(self) -> None:
        self.losses: list[torch.Tensor] = []
        self.free: list[float] = []
        self.waits: list[float] = []
        self.times: list[tuple[float, float]] = []
        self.began = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.times = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.losses.append(outputs["loss"].clone())
        if trainer.current_epoch % 2 or trainer.is_last_batch:
            wait_for(pl_module.device)
        self.times.append((self.began, time.perf_counter()))
        if str(trainer.global_step) == os.environ.get(STOP):
            os.kill(os.getpid(), signal.SIGTERM)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        after_warm_up = self.times[len(self.times) // 3 :]
        # The first epoch compiles, fills caches and starts the workers.
        if trainer.current_epoch == 0 or len(after_warm_up) < 2:
            return
        if trainer.current_epoch % 2 == 0:
            steps = len(after_warm_up) - 1
            self.free.append((after_warm_up[-1][1] - after_warm_up[0][1]) / steps)
        else:
            spans = [
                (after[0] - before[1]) / (after[1] - before[1])
                for before, after in pairwise(after_warm_up)
            ]
            self.waits.append(statistics.median(spans))

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        losses = torch.stack(self.losses).float().cpu()
        finite = bool(losses.isfinite().all()) and all(
            bool(p.isfinite().all()) for p in pl_module.parameters()
        )
        found: dict[str, Any] = {
            "steps": trainer.global_step,
            "finite": finite,
            "first_loss": losses[0].item(),
            "last_loss": losses[-1].item(),
        }
        if getattr(pl_module, "distillation", None) is not None:
            rotations = pl_module.distillation.homogenizer.rotations
            found["channels"] = rotations.shape[-1]
            found["orthogonality_error"] = orthogonality_error(rotations.double()).item()
        if self.free:
            found["step_seconds"] = statistics.median(self.free)
        if self.waits:
            found["share_of_waiting_for_data"] = statistics.median(self.waits)
        if pl_module.device.type == "cuda":
            found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        Path(trainer.default_root_dir, FILE).write_text(json.dumps(found))
