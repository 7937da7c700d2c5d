from torch import nn

from lightning_modules.projectors.projector import Projector


class Convolution(Projector):
    """A 3x3 convolution, the regressor of the first FitNets (Romero et al., ICLR 2015).

    It sees neighbouring positions, which helps a student with another receptive field. Has
    9 · C · C_t parameters. For a pooled vector it is a linear projector.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.layers = nn.Conv2d(student_channels, teacher_channels, 3, padding=1)
