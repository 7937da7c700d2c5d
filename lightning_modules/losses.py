import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor


def normalized_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of features at unit norm over channels: 2 - 2 cos, mean over positions.

    Args:
        student: Projected feature, `[B, C]` or `[B, C, h, w]`.
        teacher: Target of the same shape.
    """
    difference = F.normalize(student, dim=1) - F.normalize(teacher, dim=1)
    return difference.square().sum(1).mean()


def match_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Average-pool the larger of two maps `[B, ·, h, w]` to the smaller one's size."""
    size = min(student.shape[-1], teacher.shape[-1])
    return F.adaptive_avg_pool2d(student, size), F.adaptive_avg_pool2d(teacher, size)
