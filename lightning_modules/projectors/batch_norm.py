from torch import nn

from lightning_modules.projectors.projector import Projector


class BatchNorm(Projector):
    """A linear layer and a batch norm, for the log-sum distance (Miles & Mikolajczyk, AAAI 2024).

    The paper finds that a projector's normalization decides how it stores information of past
    examples, and recommends batch norm with a distance in which large errors do not dominate.
    Has C · C_t parameters.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(student_channels, teacher_channels, 1, bias=False),
            nn.BatchNorm2d(teacher_channels, affine=False),
        )
