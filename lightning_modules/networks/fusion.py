from abc import abstractmethod

import torch
from torch import Tensor, nn

from errors import look_up


class Fusion(nn.Module):
    """Joins the branches' pooled features, `[B, C_k]` each, into one `[B, out_channels]`."""

    out_channels: int

    @abstractmethod
    def forward(self, pooled: list[Tensor]) -> Tensor:
        """Join `[B, C_k]` of every branch into `[B, out_channels]`."""


class Concatenation(Fusion):
    """All of them side by side, as F3-Net fuses late."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.out_channels = sum(widths)

    def forward(self, pooled: list[Tensor]) -> Tensor:
        """Join `[B, C_k]` of every branch into `[B, Σ C_k]`."""
        return torch.cat(pooled, dim=1)


class GatedSum(Fusion):
    """A convex sum of the branches at the widest one's width, weighted image by image.

    Each branch is brought to the common width by a linear layer; a softmax over branches of a
    linear function of them all gives the weights (a gated multimodal unit, Arevalo et al., 2017).
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.out_channels = max(widths)
        self.embed = nn.ModuleList(nn.Linear(width, self.out_channels) for width in widths)
        self.gate = nn.Linear(sum(widths), len(widths))

    def forward(self, pooled: list[Tensor]) -> Tensor:
        """Join `[B, C_k]` of every branch into `[B, max C_k]`."""
        weights = self.gate(torch.cat(pooled, dim=1)).softmax(1)
        embedded = [embed(x) for embed, x in zip(self.embed, pooled, strict=True)]
        return torch.einsum("bk,kbc->bc", weights, torch.stack(embedded))


FUSIONS: dict[str, type[Concatenation] | type[GatedSum]] = {
    "concatenation": Concatenation,
    "gated_sum": GatedSum,
}


def create_fusion(name: str, widths: list[int]) -> Fusion:
    """Make a late fusion of branches of these widths by its name: concatenation or gated_sum.

    Raises:
        InputError: There is no such fusion.
    """
    return look_up("fusion", name, FUSIONS)(widths)
