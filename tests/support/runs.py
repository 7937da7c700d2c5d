"""Runs of the command line, and what they leave."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from lightning import Callback, LightningModule, Trainer

from cli.main import main


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def distil(fit, teacher: Path, method: str, *words: str, **options) -> Path:
    alone = method.startswith("student")
    given = [] if alone else [f"--model.init_args.teacher={checkpoint(teacher)}"]
    return fit(("student/mini", f"methods/{method}"), *given, *words, **options)


def mistake(run: Callable[[], object], capture: Any) -> str:
    """The one line that a command ends with."""
    capture.readouterr()
    with pytest.raises(SystemExit) as exit_:
        run()
    assert exit_.value.code == 2
    lines = [line for line in capture.readouterr().err.splitlines() if line]
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return str(lines[0])


def refused(words: Sequence[object], capture: Any) -> str:
    """The one line that `two-in-one WORDS` ends with."""
    return mistake(lambda: main([str(word) for word in words]), capture)


def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"


class StopAfterEpoch(Callback):
    """Ends a run at its second epoch, as if it had been interrupted after the checkpoint."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask the trainer to stop."""
        trainer.should_stop = trainer.current_epoch >= 1


class Recorder(Callback):
    """Notes the student's weights before the first step of the last run and after each."""

    steps: ClassVar[list[dict[str, torch.Tensor]]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin anew."""
        Recorder.steps = []
        self._note(pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *_: Any, **__: Any
    ) -> None:
        """Note a step's."""
        self._note(pl_module)

    def _note(self, module: Any) -> None:
        weights = {name: p.detach().clone() for name, p in module.student.named_parameters()}
        Recorder.steps.append(weights)


class Probe(Callback):
    """Notes in what precision and layout the student's maps come in the last run's training."""

    seen: ClassVar[set[tuple[torch.dtype, torch.memory_format]]] = set()

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Look at what the backbone gives."""
        Probe.seen = set()
        pl_module.student.branch.backbone.register_forward_hook(self._note)

    @staticmethod
    def _note(module: Any, given: Any, maps: torch.Tensor) -> None:
        last = maps.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        if module.training:
            Probe.seen.add((maps.dtype, layout))


class RowsOfEpochs(Callback):
    """Writes the rows of each epoch's crops, in their order, into the run's folder."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Add a batch."""
        path = Path(trainer.default_root_dir) / f"rows-{trainer.current_epoch}.txt"
        with path.open("a") as file:
            file.writelines(f"{row}\n" for row in batch["row"].tolist())
