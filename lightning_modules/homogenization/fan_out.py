from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Rotate = Callable[[Tensor, int], Tensor]
Homogenize = Callable[[tuple[Tensor, ...]], Tensor]


class FanOut(torch.autograd.Function):
    """One node of the graph, from z to its K views.

    Its backward receives the gradients of all views at once and passes them to `homogenize`, whose
    result is the gradient at z. The backbone is therefore traversed once, DDP's hooks fire once,
    and gradient synchronization stays automatic.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, tasks: int, rotate: Rotate, homogenize: Homogenize
    ) -> tuple[Tensor, ...]:
        """Return the K views of z; a view without a rotation is z itself."""
        ctx.homogenize = homogenize
        views = [rotate(z, task) for task in range(tasks)]
        return tuple(z.view_as(z) if view is z else view for view in views)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the homogenized gradient at z."""
        return ctx.homogenize(gradients), None, None, None
