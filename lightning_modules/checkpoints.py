from pathlib import Path
from typing import Any

import torch

from errors import InputError
from lightning_modules.detector import Detector, load_checkpoint
from lightning_modules.distill import DistillModule
from lightning_modules.teacher import TeacherModule

MODULES: dict[str, type[Detector]] = {
    f"{module.__module__}.{module.__qualname__}": module
    for module in (TeacherModule, DistillModule)
}


def read_hyperparameters(path: Path) -> dict[str, Any]:
    """Read what a teacher or a student was built with, its class under `_class_path`.

    Raises:
        InputError: There is no such file, or it is no whole checkpoint of ours.
    """
    if not path.is_file():
        msg = f"{path}: no such file, expected a run's checkpoint: train the run, or copy it here"
        raise InputError(msg)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return dict(checkpoint["hyper_parameters"])
    # A file cut short, another program's, or one that holds code: each fails its own way.
    except Exception as error:
        msg = f"{path}: cut short, or no checkpoint of this project: give a best.ckpt of its runs"
        raise InputError(msg) from error


def load_detector(path: Path) -> Detector:
    """Load a teacher or a student, whichever the checkpoint is of, for scoring, onto the CPU.

    Of a student its training-time parts are left out, and a rotation of the classification is
    folded into the classifier.

    Raises:
        InputError: There is no such file, or it is no whole checkpoint of a teacher or a student.
    """
    name = str(read_hyperparameters(path).get("_class_path"))
    if name not in MODULES:
        msg = (
            f"{path}: a checkpoint of {name}, expected one of {' or '.join(MODULES)}: "
            "give a best.ckpt of a teacher's or a student's run"
        )
        raise InputError(msg)
    detector: Detector = load_checkpoint(MODULES[name], str(path))
    detector.setup("predict")
    return detector.eval()
