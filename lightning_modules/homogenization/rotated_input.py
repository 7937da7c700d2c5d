from collections.abc import Callable

import torch
from torch import Tensor, nn


class RotatedInput(nn.Module):
    """Parametrizes a layer's weight W to W R_k, so that of z it sees R_k z.

    Args:
        rotation: Gives R_k, `[C, C]`, as it is when the weight is used.
        task: Its number k.
    """

    def __init__(self, rotation: Callable[[int], Tensor], task: int) -> None:
        super().__init__()
        self.rotation = rotation
        self.task = task

    def forward(self, weight: Tensor) -> Tensor:
        """Rotate the input channels of `[out, C]` or `[out, C, kh, kw]`."""
        rotation = self.rotation(self.task).to(weight.dtype)
        return torch.einsum("oc...,cd->od...", weight, rotation)
