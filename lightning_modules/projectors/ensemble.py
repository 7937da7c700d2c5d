import torch
from torch import Tensor, nn

from lightning_modules.projectors.projector import Projector


class Ensemble(Projector):
    """The mean of several projectors with different initial weights (Chen et al., NeurIPS 2022).

    The paper finds that one projector overfits to the teacher's features, and that the mean of
    three linear layers with ReLU does not. Has `members` · C · C_t parameters.

    Args:
        members: Number of projectors.
    """

    def __init__(self, student_channels: int, teacher_channels: int, members: int = 3) -> None:
        super().__init__()
        self.layers = _Mean(
            nn.Sequential(nn.Conv2d(student_channels, teacher_channels, 1), nn.ReLU())
            for _ in range(members)
        )

    def input_layers(self) -> list[nn.Module]:
        """Return every member's convolution."""
        return [module for module in self.layers.modules() if isinstance(module, nn.Conv2d)]


class _Mean(nn.ModuleList):
    def forward(self, z: Tensor) -> Tensor:
        return torch.stack([member(z) for member in self]).mean(0)
