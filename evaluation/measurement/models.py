"""The runs to measure, each with its detector."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from errors import InputError
from evaluation.comparison.ladder import ladder_order
from evaluation.comparison.run import Run, find_runs, read_run
from lightning_modules.checkpoints import load_detector
from lightning_modules.detector import Detector
from records.folder import RunFolder


@dataclass(frozen=True)
class Model:
    """A run and its detector, ready to score."""

    run: Run
    checkpoint: Path
    detector: Detector


def load_models(paths: Sequence[Path]) -> list[Model]:
    """Load the detectors of runs, in the ladder's order.

    Args:
        paths: Run folders, folders of run folders, or checkpoints within a run's folder.

    Raises:
        InputError: No run, a run that is unfinished or named twice, or a checkpoint that is
            missing, damaged or of another model.
    """
    runs: dict[str, Run] = {}
    checkpoints: dict[str, Path] = {}
    for run, checkpoint in (pair for path in paths for pair in _find(path)):
        if other := runs.get(run.name):
            msg = (
                f"{run.folder}: {run.name} is also in {other.folder}, expected each run once: "
                "omit one"
            )
            raise InputError(msg)
        runs[run.name], checkpoints[run.name] = run, checkpoint
    return [load_model(run, checkpoints[run.name]) for run in ladder_order([*runs.values()])]


def checkpoint_of(run: Run) -> Path:
    """Return the checkpoint that a run was tested with."""
    return run.files.checkpoints / Path(str(run.results.run.checkpoint)).name


def _find(path: Path) -> list[tuple[Run, Path]]:
    if path.suffix != ".ckpt":
        return [(run, checkpoint_of(run)) for run in find_runs(path)]
    folder = RunFolder.of_checkpoint(path)
    if path.parent.name != folder.checkpoints.name or not folder.results.is_file():
        msg = (
            f"{path}: not in the {folder.checkpoints.name} folder of a tested run, whose results "
            "describe the model: name the run's folder"
        )
        raise InputError(msg)
    return [(read_run(folder.path), path)]


def load_model(run: Run, checkpoint: Path) -> Model:
    """Load the detector of a run.

    Raises:
        InputError: The checkpoint is missing, damaged or of another model.
    """
    detector = load_detector(checkpoint)
    params = detector.cost()["params"]
    if run.params is not None and params != run.params:
        msg = (
            f"{checkpoint}: a model of {params} parameters, but {run.name} was tested with "
            f"{run.params}: restore the run's own checkpoint, or test it again"
        )
        raise InputError(msg)
    return Model(run, checkpoint, detector)


def find_devices(choice: str) -> list[str]:
    """Return the devices to measure on: "auto" is the CPU, and the GPU if one is visible.

    Raises:
        InputError: "cuda" without a GPU.
    """
    gpu = ["cuda"] if torch.cuda.is_available() else []
    if choice == "cuda" and not gpu:
        msg = "--device cuda: PyTorch sees no GPU on this machine: omit --device"
        raise InputError(msg)
    return ["cpu", *gpu] if choice == "auto" else [choice]
