from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn


class Fusion(nn.Module):
    """Combines the branches' pooled features, `[B, C_k]` each, into `[B, out_channels]`."""

    out_channels: int

    @abstractmethod
    def forward(self, pooled: list[Tensor]) -> Tensor:
        """Combine `[B, C_k]` of every branch."""


class Concatenation(Fusion):
    """Concatenates the features, `[B, Σ C_k]`, as the late fusion of F3-Net."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.out_channels = sum(widths)

    def forward(self, pooled: list[Tensor]) -> Tensor:
        """Concatenate the features."""
        return torch.cat(pooled, dim=1)


class GatedSum(Fusion):
    """A convex sum of the branches, `[B, max C_k]`, with weights per image.

    A linear layer maps each branch to the common width. The weights are a softmax over branches of
    a linear function of all features (gated multimodal unit, Arevalo et al., 2017).
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.out_channels = max(widths)
        self.embed = nn.ModuleList(nn.Linear(width, self.out_channels) for width in widths)
        self.gate = nn.Linear(sum(widths), len(widths))

    def forward(self, pooled: list[Tensor]) -> Tensor:
        """Compute the weighted sum."""
        weights = self.gate(torch.cat(pooled, dim=1)).softmax(1)
        embedded = [embed(x) for embed, x in zip(self.embed, pooled, strict=True)]
        return torch.einsum("bk,kbc->bc", weights, torch.stack(embedded))


FUSIONS: dict[str, Callable[[list[int]], Fusion]] = {
    "concatenation": Concatenation,
    "gated_sum": GatedSum,
}
