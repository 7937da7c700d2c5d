"""Distances of a projected feature to a target of its shape, `[B, C]` or `[B, C, h, w]`."""

import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor

from errors import InputError


def normalized_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of features with unit norm over channels, mean over positions: 2 - 2 cos."""
    difference = F.normalize(student, dim=1) - F.normalize(teacher, dim=1)
    return difference.square().sum(1).mean()


def cosine(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cos over channels, mean over positions: half of `normalized_mse`."""
    return 1 - torch.cosine_similarity(student, teacher, dim=1).mean()


def smooth_l1(student: Tensor, teacher: Tensor) -> Tensor:
    """Huber's loss of the unnormalized features, mean over all elements."""
    return F.smooth_l1_loss(student, teacher)


def log_sum(student: Tensor, teacher: Tensor) -> Tensor:
    """Log of the mean of |s - t|⁴, t standardized per channel (Miles & Mikolajczyk, AAAI 2024).

    Designed for the batch-norm projector, which standardizes the student's side. The paper's log of
    a sum differs by a constant. Each rank takes the logarithm of its own mean.
    """
    over = [dim for dim in range(teacher.ndim) if dim != 1]
    deviation, mean = torch.std_mean(teacher, dim=over, keepdim=True, correction=0)
    target = (teacher - mean) / (deviation + 1e-5)
    return (student - target).pow(4).mean().log()


def attention_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of the maps' energies at unit norm (Zagoruyko & Komodakis, ICLR 2017).

    The energy is the sum of squares over channels, `[B, h w]`, so the widths may differ.

    Raises:
        InputError: The features are pooled and have no map.
    """
    if student.ndim != 4:
        msg = (
            "distance 'attention_transfer' compares maps, and these features are pooled: "
            "choose another distance, or `features: map`"
        )
        raise InputError(msg)
    energies = (F.normalize(x.square().sum(1).flatten(1), dim=1) for x in (student, teacher))
    return (next(energies) - next(energies)).square().sum(1).mean()
