from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Rotate = Callable[[Tensor, int], Tensor]
Homogenize = Callable[[tuple[Tensor, ...]], Tensor]


class FanOut(torch.autograd.Function):
    """One node of the graph from z to its K views.

    Its backward receives the gradient of every view at once and hands them to `homogenize`, whose
    answer goes on to the backbone. So the backbone is traversed once, DDP's hooks fire once, and
    gradient synchronization stays automatic.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, tasks: int, rotate: Rotate, homogenize: Homogenize
    ) -> tuple[Tensor, ...]:
        """Give the K views of z; one that is not rotated is z itself."""
        ctx.homogenize = homogenize
        views = [rotate(z, task) for task in range(tasks)]
        return tuple(z.view_as(z) if view is z else view for view in views)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Give the homogenized gradient at z."""
        return ctx.homogenize(gradients), None, None, None
