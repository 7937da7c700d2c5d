"""Forms of features: maps `[B, C, h, w]` and vectors `[B, C]`."""

import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor


def pool(feature: Tensor) -> Tensor:
    """Average a map `[B, C, h, w]` over its positions; return a vector `[B, C]` unchanged."""
    return feature.mean(dim=(2, 3)) if feature.ndim == 4 else feature


def match_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Average-pool the larger of two features to the size of the smaller: a map, or a vector."""
    if student.ndim == teacher.ndim == 2:
        return student, teacher
    if student.ndim == 2 or teacher.ndim == 2:
        return pool(student), pool(teacher)
    size = min(student.shape[-1], teacher.shape[-1])
    return F.adaptive_avg_pool2d(student, size), F.adaptive_avg_pool2d(teacher, size)
