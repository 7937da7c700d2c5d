from torch import nn

from lightning_modules.projectors.projector import Projector


class Convolution(Projector):
    """A 3x3 convolution, the regressor of the first FitNets (Romero et al., ICLR 2015).

    It sees a position's neighbours, so a student with another receptive field can follow. Costs
    9 · C · C_t parameters. Of a pooled vector it sees a 1x1 map: a linear projector.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.layers = nn.Conv2d(student_channels, teacher_channels, 3, padding=1)
