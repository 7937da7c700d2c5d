from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from lightning_modules.projectors.projector import Projector


class Orthogonal(Projector):
    """A linear map that preserves lengths and angles (VkD: Miles et al., CVPR 2024).

    The paper argues that a free projector learns a part of the task, while an orthogonal one leaves
    all of it to the student. A parametrization keeps the rows, or the columns of a wider target,
    orthonormal; it costs one solve of the smaller width per step. Has C · C_t parameters.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.layers = _Channels(student_channels, teacher_channels)

    def input_layers(self) -> list[nn.Module]:
        """Return the linear layer."""
        return [module for module in self.layers.modules() if isinstance(module, nn.Linear)]


class _Channels(nn.Module):
    """A linear layer over the channels of maps."""

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        linear = nn.Linear(student_channels, teacher_channels, bias=False)
        # The exponential is of the larger width; Cayley's map solves in the smaller one.
        self.linear = orthogonal(linear, orthogonal_map="cayley")

    def forward(self, z: Tensor) -> Tensor:
        return self.linear(z.movedim(1, -1)).movedim(-1, 1)
