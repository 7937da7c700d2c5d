from torch import nn

from lightning_modules.projectors.projector import Projector


class Bottleneck(Projector):
    """Two 1x1 convolutions with a narrow batch norm and ReLU between, as in adapters.

    What does not fit through is not asked of the student. Costs (C + C_t) · hidden parameters.

    Args:
        student_channels: Channels C of the student's feature.
        teacher_channels: Channels C_t of the target.
        reduction: The target's width over the hidden one.
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
