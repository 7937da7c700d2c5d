from torch import nn

from errors import InputError
from lightning_modules.projectors.projector import Projector


class Identity(Projector):
    """Compares the student's feature without a projector. Has no parameters.

    Raises:
        InputError: The widths differ.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        if student_channels != teacher_channels:
            msg = (
                f"an identity projector needs equal widths, but the student has {student_channels} "
                f"channels and the target {teacher_channels}: choose another one, such as Linear"
            )
            raise InputError(msg)
        self.layers = nn.Identity()
