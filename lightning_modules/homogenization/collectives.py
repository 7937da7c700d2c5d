"""Collectives over the ranks of a distributed run; without one they return their argument."""

import torch
from torch import Tensor, distributed


def _initialized() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def count_ranks() -> int:
    """Return the number of ranks."""
    return distributed.get_world_size() if _initialized() else 1


def rank() -> int:
    """Return this process's rank."""
    return distributed.get_rank() if _initialized() else 0


def all_reduce(tensor: Tensor) -> Tensor:
    """Return the sum over the ranks."""
    if count_ranks() > 1:
        tensor = tensor.contiguous()
        distributed.all_reduce(tensor)
    return tensor


def all_gather(rows: Tensor) -> Tensor:
    """Return the rows of all ranks, `[K, ranks * rows, C]`, from `[K, rows, C]` of each."""
    if count_ranks() == 1:
        return rows
    gathered = [torch.empty_like(rows) for _ in range(count_ranks())]
    distributed.all_gather(gathered, rows.contiguous())
    return torch.cat(gathered, dim=1)
