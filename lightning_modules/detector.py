import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, distributed, nn
from torch.optim.lr_scheduler import LambdaLR

from datamodules.batch import Batch
from errors import InputError, first_line, look_up, require_number
from lightning_modules.homogenization.collectives import count_ranks
from lightning_modules.networks.backbone import Branch, count_macs, count_parameters
from lightning_modules.networks.optimization import decay_groups, warmup_cosine
from lightning_modules.networks.timm_models import without_pretrained_weights
from lightning_modules.score_table import ScoreTable, detection_metrics
from records.checkpoints import CLASS_PATH, read_hyperparameters


class Detector(LightningModule):
    """The common part of teacher and student: evaluation, optimizer and schedule.

    Args:
        image_size: Side S of the crops, in pixels.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW; norms, biases and front-ends' masks have none.
        warmup: Share of the steps in which the learning rate rises linearly; a cosine follows.
        accumulate: Number of batches whose gradients are averaged for one optimizer step. The
            tasks of a distillation are weighted once per step, by the gradients of its first batch.
        gradient_clip: Maximum norm of all gradients together; null disables clipping.
        ema: Decay of the exponential moving average of the weights, which is validated and saved
            instead of them; null disables averaging.
        compile: Backend of torch.compile for every branch, e.g. inductor; null disables compiling.

    Raises:
        InputError: A value is out of range, or the backend does not exist.
    """

    heads: tuple[str, ...] = ("detector",)
    """Names of the logits, the detector's own first."""

    def __init__(
        self,
        image_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        accumulate: int = 1,
        gradient_clip: float | None = None,
        ema: float | None = None,
        compile: str | None = None,
    ) -> None:
        super().__init__()
        require_number("data.image_size", image_size, least=1)
        require_number("model.init_args.learning_rate", learning_rate, above=0)
        require_number("model.init_args.weight_decay", weight_decay, least=0)
        require_number("model.init_args.warmup", warmup, least=0, most=1)
        require_number("model.init_args.accumulate", accumulate, least=1)
        require_number("model.init_args.gradient_clip", gradient_clip, above=0)
        require_number("model.init_args.ema", ema, above=0, below=1)
        if compile is not None:
            available = torch.compiler.list_backends(exclude_tags=())
            look_up("model.init_args.compile: backend", compile, dict.fromkeys(available))
        self.automatic_optimization = False
        self.image_size = image_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.accumulate = accumulate
        self.gradient_clip = gradient_clip
        self.ema = ema
        self.backend = compile
        self.scores = ScoreTable()
        self._stepped = False

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a checkpoint onto the CPU, without unpickling code or fetching weights.

        Raises:
            InputError: The file is missing, damaged, or of another class or version.
        """
        remedy = f"give a best.ckpt of a finished run of {cls.__name__}"
        name = str(read_hyperparameters(path, remedy)[CLASS_PATH]).rpartition(".")[2]
        if name != cls.__name__:
            msg = f"{path}: a checkpoint of {name}, expected one of {cls.__name__}: {remedy}"
            raise InputError(msg)
        try:
            with without_pretrained_weights():
                return cls.load_from_checkpoint(path, map_location="cpu", weights_only=True)
        except InputError:
            raise
        # Checkpoints of other versions fail in many ways.
        except Exception as error:
            msg = f"{path}: a checkpoint of another version ({first_line(error)}): {remedy}"
            raise InputError(msg) from error

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """The deployed detector, from images in [0, 1] to the logit of being fake."""

    @abstractmethod
    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Compute the logit `[B]` of every head for images in [0, 1]."""

    def cost(self) -> dict[str, int]:
        """Return parameters, multiply-accumulates and input size of the deployed detector."""
        # Operations inside compiled code are not counted.
        with torch.compiler.set_stance("force_eager") if self.backend else nullcontext():
            macs = count_macs(self.network, self.image_size)
        params = count_parameters(self.network)
        return {"params": params, "macs": macs, "input_size": self.image_size}

    def forward(self, images: Tensor) -> Tensor:
        """Compute the probability `[B]` of being fake for uint8 images `[B, 3, S, S]`."""
        return self.network(unit_range(images)).sigmoid()

    def setup(self, stage: str) -> None:
        """Store weights channels_last, the fastest layout for convolutions on every device."""
        self.network.to(memory_format=torch.channels_last)

    def on_fit_start(self) -> None:
        """Compile the branches; the names in a checkpoint stay the same."""
        if self.backend is not None:
            for part in self.modules():
                if isinstance(part, Branch):
                    part.compile(backend=self.backend)

    @contextmanager
    def accumulation(self, batch_idx: int) -> Iterator[tuple[bool, bool]]:
        """Run a batch's forward and backward; ranks synchronize gradients in a step's last batch.

        Yields:
            Whether the batch is the first of an optimizer step, and whether it is the last.
        """
        first = batch_idx % self.accumulate == 0
        last = (batch_idx + 1) % self.accumulate == 0 or self.trainer.is_last_batch
        optimizer: Any = self.optimizers()
        with optimizer.toggle_model(sync_grad=last):
            yield first, last

    def accumulate_gradients(self, losses: Mapping[str, Tensor], total: Tensor) -> None:
        """Add the gradients of a batch's total loss; log the losses in logging steps."""
        # Values that no logger reads cost milliseconds. Lightning's own monitors use the same test.
        if self.trainer._logger_connector.should_update_logs:
            self.log_dict({f"train/loss_{name}": loss for name, loss in losses.items()})
            self.log("train/loss", total, prog_bar=True)
        # Lightning's autocast is active here; Gramian and rotations need full precision.
        with torch.autocast(self.device.type, enabled=False):
            self.manual_backward(total / self.accumulate)

    def loss_scale(self) -> Tensor | None:
        """Return the factor of the loss under 16-mixed, without waiting for the device."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        return None if scaler is None else scaler.scale(torch.ones((), device=self.device))

    def step_optimizer(self) -> float | None:
        """Step optimizer and schedule.

        Returns:
            The share of the peak learning rate in this step; None if the loss scaler skipped it.
        """
        optimizer: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        share: float = optimizer.param_groups[0]["lr"] / self.learning_rate
        self._stepped = False
        with torch.autocast(self.device.type, enabled=False):
            optimizer.step()
            optimizer.zero_grad()
            if self._stepped:
                schedule.step()
        return share if self._stepped else None

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradients, which are already unscaled under mixed precision."""
        if self.gradient_clip is not None:
            trained = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(trained, self.gradient_clip)

    def on_validation_start(self) -> None:
        """Validate what a checkpoint saves: every rank takes rank 0's batch statistics."""
        self.scores.begin(len(self.heads))
        if count_ranks() > 1:
            for buffer in self.network.buffers():
                distributed.broadcast(buffer, 0)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score a batch."""
        self._score(batch)

    def on_validation_epoch_end(self) -> None:
        """Log loss, frame AUC and video AUC of every head over the validation split."""
        table = self.scores.compute()
        for index, head in enumerate(self.heads):
            prefix = "val" if index == 0 else f"val/{head}"
            for name, value in detection_metrics(table, index).items():
                # All ranks hold the gathered table: averaging equal values changes nothing.
                self.log(f"{prefix}/{name}", value.float(), prog_bar=index == 0, sync_dist=True)
        self.scores.reset()

    def on_test_start(self) -> None:
        """Start with an empty table."""
        self.scores.begin(len(self.heads))

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score a batch; the score writer reads the table."""
        self._score(batch)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build AdamW with a linear warm-up and a cosine to zero, stepped every batch."""
        # The same bytes as a loop over the parameters, with less Python per step.
        optimizer = torch.optim.AdamW(
            decay_groups(self), self.learning_rate, weight_decay=self.weight_decay, foreach=True
        )
        # A loss scaler does not call step after an overflow.
        optimizer.register_step_post_hook(lambda *_: setattr(self, "_stepped", True))
        steps = self._optimizer_steps()
        warmup_steps = max(1, round(self.warmup * steps))
        factor = partial(warmup_cosine, warmup_steps=warmup_steps, steps=steps)
        schedule: Any = {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def _optimizer_steps(self) -> int:
        # In manual optimization Lightning counts every batch as a step.
        batches = int(self.trainer.estimated_stepping_batches)
        if self.accumulate == 1 or self.trainer.max_epochs in (None, -1):
            return batches
        per_epoch = math.ceil(int(self.trainer.num_training_batches) / self.accumulate)
        return min(batches, per_epoch * self.trainer.max_epochs)

    def _score(self, batch: Batch) -> None:
        logits = self.logits(unit_range(batch["image"]))
        scores = torch.stack([logits[head] for head in self.heads], dim=1).float().sigmoid()
        self.scores.update(batch["row"], batch["video"], batch["label"], scores)


def unit_range(images: Tensor) -> Tensor:
    """Convert uint8 images to [0, 1], channels_last in memory."""
    return images.to(torch.get_default_dtype(), memory_format=torch.channels_last) / 255
