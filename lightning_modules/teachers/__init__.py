from pathlib import Path

from errors import InputError
from lightning_modules.teachers.base import LoadedTeacher
from lightning_modules.teachers.checkpoint import CheckpointTeacher
from lightning_modules.teachers.module import ModuleTeacher
from lightning_modules.teachers.spec import TeacherSpec, check_teachers
from lightning_modules.teachers.timm_model import TimmTeacher

__all__ = ["LoadedTeacher", "TeacherSpec", "check_teachers", "load_teacher"]


def load_teacher(spec: TeacherSpec, image_size: int, stage: int | None) -> LoadedTeacher:
    """Load a teacher for images of a size, up to timm's stage, in evaluation mode.

    Raises:
        InputError: See the classes of the sources; or a module cannot end at a stage.
    """
    teacher: LoadedTeacher
    if spec.checkpoint is not None:
        teacher = CheckpointTeacher(Path(spec.checkpoint), image_size, stage)
    elif spec.backbone is not None:
        teacher = TimmTeacher(spec.backbone, spec.weights, image_size, stage)
    elif stage is not None:
        msg = f"model.init_args.stage is {stage}, but {spec.module} has no stages of timm: unset it"
        raise InputError(msg)
    else:
        assert spec.module is not None  # check_teachers requires one source
        teacher = ModuleTeacher(spec.module, spec.args, spec.weights, image_size)
    return teacher.requires_grad_(False).eval()
