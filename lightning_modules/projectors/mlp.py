from torch import nn

from lightning_modules.projectors.projector import Projector


class MLP(Projector):
    """1x1 convolutions with batch norm and ReLU between them, as in SimCLR's projection head.

    Args:
        hidden_layers: Number of hidden layers; 0 is a linear projector.
        hidden_channels: Width of the hidden layers; by default the target's.
    """

    def __init__(
        self,
        student_channels: int,
        teacher_channels: int,
        hidden_layers: int = 1,
        hidden_channels: int | None = None,
    ) -> None:
        super().__init__()
        hidden = hidden_channels or teacher_channels
        layers: list[nn.Module] = []
        width = student_channels
        for _ in range(hidden_layers):
            layers += [nn.Conv2d(width, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU()]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, teacher_channels, 1))
