"""Relations between the samples of the global batch."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from lightning_modules.homogenization.collectives import all_gather, all_reduce, rank

Relation = Callable[[Tensor, Tensor], Tensor]


class GatheredRows(torch.autograd.Function):
    """The rows of all ranks, `[ranks B, D]`, from `[B, D]` of each.

    The gradient of a rank's rows is the sum of those of all ranks, which compute one loss. DDP then
    averages, so that the step is that of one process with the global batch.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        """Gather the rows."""
        ctx.count = len(rows)
        return all_gather(rows[None])[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the gradient of this rank's rows."""
        first = ctx.count * rank()
        return all_reduce(gradients[0].clone())[first : first + ctx.count]


def of_global_batch(rows: Callable[[Tensor], Tensor]) -> Callable[[Relation], Relation]:
    """Compute a loss of rows `[B, D]` over the samples of all ranks, in full precision.

    `rows` converts features `[B, C]` or `[B, C, h, w]` to rows.
    """

    def decorate(loss: Relation) -> Relation:
        @wraps(loss)
        def over_ranks(student: Tensor, teacher: Tensor) -> Tensor:
            with torch.autocast(student.device.type, enabled=False):
                return loss(*(_gather(rows(feature)) for feature in (student, teacher)))

        return over_ranks

    return decorate


def _gather(rows: Tensor) -> Tensor:
    return GatheredRows.apply(rows.to(torch.promote_types(rows.dtype, torch.float32)))
