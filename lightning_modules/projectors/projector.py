from collections.abc import Callable

from torch import Tensor, nn


class Projector(nn.Module):
    """Maps the student's feature to a teacher's width: `[B, C, h, w]` or `[B, C]`.

    A design gives `layers`, a module over maps; a pooled vector is a 1x1 map to it. Designs are
    configured as factories `(student_channels, teacher_channels) -> Projector`, so that a config
    never repeats a width.
    """

    layers: nn.Module

    def input_layers(self) -> list[nn.Module]:
        """Give the linear layers or convolutions that z goes into; none where it is seen else."""
        first = self.layers[0] if isinstance(self.layers, nn.Sequential) else self.layers
        return [first] if isinstance(first, nn.Conv2d | nn.Linear) else []

    def forward(self, z: Tensor) -> Tensor:
        """Project `[B, C, h, w]` or `[B, C]` to the teacher's width, spatial shape unchanged."""
        if z.ndim == 2:
            return self.layers(z[:, :, None, None]).flatten(1)
        return self.layers(z)


ProjectorFactory = Callable[[int, int], Projector]
