from torch import nn

from lightning_modules.projectors.projector import Projector


class Identity(Projector):
    """Compares the student's feature without a projector. Has no parameters.

    The widths must be equal unless the distance compares relations, as rkd, sp and pkt do.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.layers = nn.Identity()
