from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Rotate = Callable[[Tensor, int], Tensor]
Homogenize = Callable[[tuple[Tensor, ...]], Tensor]


@dataclass(frozen=True)
class HomogenizedGradients:
    """The task gradients of the last backward at z, over the global batch.

    Attributes:
        gramian: <g_i, g_j>, `[K, K]`.
        weights: w, `[K]`.
        alpha: RotoGrad's share of each task in the common norm, `[K]`; None for other weightings.
    """

    gramian: Tensor
    weights: Tensor
    alpha: Tensor | None = None

    @property
    def norms(self) -> Tensor:
        """|g_k|, `[K]`."""
        return self.gramian.diagonal().clamp_min(0).sqrt()

    @property
    def cosines(self) -> Tensor:
        """Pairwise cosines of the task gradients, `[K, K]`; 0 if a gradient is zero."""
        outer = self.norms[:, None] * self.norms[None, :]
        return torch.where(outer > 0, self.gramian / outer, 0)


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
