"""Runs of the command line, and callbacks that record what happens in them."""

import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from torch.nn.parallel import DistributedDataParallel

from cli.main import main


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def distil(fit, teacher: Path, method: str, *argv: str, **options) -> Path:
    alone = method.startswith("student")
    given = [] if alone else [f"--model.init_args.teacher={checkpoint(teacher)}"]
    return fit(("student/mini", f"methods/{method}"), *given, *argv, **options)


def mistake(run: Callable[[], object], capture: Any) -> str:
    """Return the one line of a user's mistake, which ends a command."""
    capture.readouterr()
    with pytest.raises(SystemExit) as exit_:
        run()
    assert exit_.value.code == 2
    lines = [line for line in capture.readouterr().err.splitlines() if line]
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return str(lines[0])


def refused(argv: Sequence[object], capture: Any) -> str:
    """Return the one line with which `two-in-one ARGV` is refused."""
    return mistake(lambda: main([str(argument) for argument in argv]), capture)


def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"


class StopAfterEpoch(Callback):
    """Stops a run after its second epoch, as if interrupted after the checkpoint."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the trainer."""
        trainer.should_stop = trainer.current_epoch >= 1


class StopAtBatch(Callback):
    """Stops a run at the start of a batch of its first epoch, by SIGTERM or by an error."""

    def __init__(self, batch: int, sigterm: bool) -> None:
        self.batch = batch
        self.sigterm = sigterm

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop the run."""
        if (trainer.current_epoch, batch_idx) != (0, self.batch):
            return
        if not self.sigterm:
            msg = "stopped"
            raise RuntimeError(msg)
        os.kill(os.getpid(), signal.SIGTERM)


class Recorder(Callback):
    """Records the student's deployed weights before the first step of the last run and after each.

    Also whether DDP sends the rotations in every step.
    """

    sends_rotations: ClassVar[bool] = False
    steps: ClassVar[list[dict[str, torch.Tensor]]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Discard the records of an earlier run."""
        Recorder.steps = []
        wrapped: Any = trainer.strategy.model
        if isinstance(wrapped, DistributedDataParallel):
            rotations = wrapped.module.distillation.homogenizer.rotations
            Recorder.sends_rotations = any(
                buffer is rotations for buffer in wrapped.modules_buffers
            )
        self._record(pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Record the weights after a step."""
        self._record(pl_module)

    def _record(self, module: Any) -> None:
        weights = {name: p.detach().clone() for name, p in module.student.named_parameters()}
        if module.homogenization.classification:
            rotation = module.distillation.homogenizer.rotations[0]
            weights["classifier.weight"] = weights["classifier.weight"] @ rotation
        Recorder.steps.append(weights)


class RotationsOfRanks(Callback):
    """Writes every rank's rotations at the start and at the end of the training."""

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Write the first ones."""
        self._write("start", trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Write the last ones."""
        self._write("end", trainer, pl_module)

    def _write(self, name: str, trainer: Trainer, module: Any) -> None:
        path = Path(trainer.default_root_dir) / f"rotations-{name}-{trainer.global_rank}.pt"
        torch.save(module.distillation.homogenizer.rotations, path)


class Probe(Callback):
    """Records the precision and layout of the student's maps while the last run trains."""

    seen: ClassVar[set[tuple[torch.dtype, torch.memory_format]]] = set()

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Observe the output of the backbone."""
        Probe.seen = set()
        pl_module.student.branch.backbone.register_forward_hook(self._record)

    @staticmethod
    def _record(module: Any, given: Any, maps: torch.Tensor) -> None:
        last = maps.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        if module.training:
            Probe.seen.add((maps.dtype, layout))


class RowsOfEpochs(Callback):
    """Writes the rows of the crops of each epoch, in order, into the run's folder."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Append the rows of a batch."""
        path = Path(trainer.default_root_dir) / f"rows-{trainer.current_epoch}.txt"
        with path.open("a") as file:
            file.writelines(f"{row}\n" for row in batch["row"].tolist())
