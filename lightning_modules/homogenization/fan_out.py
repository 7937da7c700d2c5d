from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from lightning_modules.homogenization.rotations import rotate

Homogenize = Callable[[tuple[Tensor, ...]], Tensor]


class FanOut(torch.autograd.Function):
    """One node of the graph from z to its K rotated views.

    Its backward receives the gradient of every view at once and hands them to `homogenize`, whose
    answer goes on to the backbone. So the backbone is traversed once, DDP's hooks fire once, and
    gradient synchronization stays automatic.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, z: Tensor, rotations: Tensor | None, tasks: int, homogenize: Homogenize
    ) -> tuple[Tensor, ...]:
        """Give the K views of z; without rotations they are z itself."""
        ctx.homogenize = homogenize  # type: ignore[attr-defined]
        if rotations is None:
            return tuple(z.view_as(z) for _ in range(tasks))
        return tuple(rotate(z, rotation) for rotation in rotations)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Give the homogenized gradient at z."""
        return ctx.homogenize(gradients), None, None, None
