from torch import nn

from lightning_modules.projectors.projector import Projector


class BatchNorm(Projector):
    """A linear layer and a batch norm, made for the log-sum distance (Miles & Mikolajczyk, 2024).

    The paper shows that a projector keeps information of past examples and that its normalization
    decides how: batch norm with a distance that does not let large errors rule. AAAI 2024. Costs
    C · C_t parameters.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(student_channels, teacher_channels, 1, bias=False),
            nn.BatchNorm2d(teacher_channels, affine=False),
        )
