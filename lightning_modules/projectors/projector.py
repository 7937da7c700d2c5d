from collections.abc import Callable

from torch import Tensor, nn


class Projector(nn.Module):
    """Maps the student's feature, `[B, C, h, w]` or `[B, C]`, to the target's C_t channels.

    A design defines `layers`, a module over maps, which sees a pooled vector as a 1x1 map. A config
    names it as a factory `(student_channels, teacher_channels) -> Projector`, that is (C, C_t), and
    repeats no width.
    """

    layers: nn.Module

    def input_layers(self) -> list[nn.Module]:
        """Return the layers that take z as input, or an empty list if z has other uses."""
        first = self.layers[0] if isinstance(self.layers, nn.Sequential) else self.layers
        return [first] if isinstance(first, nn.Conv2d | nn.Linear) else []

    def forward(self, z: Tensor) -> Tensor:
        """Project `[B, C, h, w]` or `[B, C]` to the teacher's width."""
        if z.ndim == 2:
            return self.layers(z[:, :, None, None]).flatten(1)
        return self.layers(z)


ProjectorFactory = Callable[[int, int], Projector]
