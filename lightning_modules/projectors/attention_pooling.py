import torch
from torch import Tensor, nn

from lightning_modules.projectors.projector import Projector


class AttentionPooling(Projector):
    """Pools the map by a learned attention over its positions, then projects linearly.

    A query attends to the positions, as in CLIP (Radford et al., 2021): forgeries are local. The
    output is a vector `[B, C_t]` and the target is pooled to match it. Has C + C · C_t parameters.
    For a pooled vector it is a linear projector.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(student_channels))
        self.layers = nn.Conv2d(student_channels, teacher_channels, 1)

    def input_layers(self) -> list[nn.Module]:
        """Return an empty list: the query takes z as well."""
        return []

    def forward(self, z: Tensor) -> Tensor:
        """Project `[B, C, h, w]` or `[B, C]` to `[B, C_t]`."""
        # A vector is a map of one position, so that the query has a gradient, as DDP requires.
        positions = z.flatten(2) if z.ndim == 4 else z[..., None]
        scores = torch.einsum("c,bcn->bn", self.query, positions) / z.shape[1] ** 0.5
        return super().forward(torch.einsum("bn,bcn->bc", scores.softmax(1), positions))
