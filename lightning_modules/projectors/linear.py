from torch import nn

from lightning_modules.projectors.projector import Projector


class Linear(Projector):
    """A 1x1 convolution, the regressor of FitNets (Romero et al., ICLR 2015).

    Has C · C_t parameters. A linear projector onto concatenated targets is the same function as one
    projector per target, so `sharing: trunk` changes nothing.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.layers = nn.Conv2d(student_channels, teacher_channels, 1)
