from pathlib import Path

from errors import InputError
from lightning_modules.detector import Detector
from lightning_modules.distill import DistillModule
from lightning_modules.teacher import TeacherModule
from records.checkpoints import CLASS_PATH, read_hyperparameters

MODULES: dict[str, type[Detector]] = {
    f"{module.__module__}.{module.__qualname__}": module
    for module in (TeacherModule, DistillModule)
}


def load_detector(path: Path) -> Detector:
    """Load the teacher or student of a checkpoint for scoring, onto the CPU.

    Raises:
        InputError: The file is missing or damaged, or not a checkpoint of a teacher or a student.
    """
    name = str(read_hyperparameters(path)[CLASS_PATH])
    if name not in MODULES:
        msg = (
            f"{path}: a checkpoint of {name}, expected one of {' or '.join(MODULES)}: "
            "pass a best.ckpt of a teacher's or a student's run"
        )
        raise InputError(msg)
    detector = MODULES[name].load(path)
    detector.setup("predict")
    return detector.eval()
