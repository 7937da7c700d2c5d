from torch import nn

from lightning_modules.projectors.projector import Projector


class Bottleneck(Projector):
    """Two 1x1 convolutions around a narrow batch norm and ReLU, as in adapters.

    The student need not match what does not fit through. Has (C + C_t) · hidden parameters.

    Args:
        reduction: Ratio of the target's width to the hidden width.
    """

    def __init__(self, student_channels: int, teacher_channels: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(1, teacher_channels // reduction)
        self.layers = nn.Sequential(
            nn.Conv2d(student_channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, teacher_channels, 1),
        )
