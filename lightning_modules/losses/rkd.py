import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor

from lightning_modules.losses.features import pool
from lightning_modules.losses.global_batch import of_global_batch

ANGLES_TO_DISTANCES = 2.0


@of_global_batch(pool)
def rkd(student: Tensor, teacher: Tensor) -> Tensor:
    """Relational knowledge distillation, RKD-DA (Park et al., CVPR 2019, section 3.2).

    Huber's loss of the pairs' distances |t_i - t_j| / μ, where μ is their mean, plus twice that of
    the triplets' angles <e_ij, e_kj>, where e_ij = (t_i - t_j) / |t_i - t_j|. The paper weights
    distances by 25 and angles by 50. Takes pooled features, `[B, C]` each.
    """
    of_student, of_teacher = _differences(student), _differences(teacher)
    distances = F.smooth_l1_loss(_distances(of_student), _distances(of_teacher))
    angles = F.smooth_l1_loss(_angles(of_student), _angles(of_teacher))
    return distances + ANGLES_TO_DISTANCES * angles


def _differences(rows: Tensor) -> Tensor:
    return rows[None] - rows[:, None]


def _distances(differences: Tensor) -> Tensor:
    """Return the distances of all pairs divided by their mean, `[B, B]`."""
    # The root has no derivative at the diagonal's zeros.
    squares = differences.square().sum(2)
    apart = squares > 0
    distances = torch.where(apart, squares.where(apart, 1).sqrt(), 0)
    return distances / (distances.sum() / apart.sum().clamp_min(1)).clamp_min(1e-12)


def _angles(differences: Tensor) -> Tensor:
    """Return the cosines of the angles at j of all triplets, `[j, i, k]`."""
    directions = F.normalize(differences, dim=2)
    return directions @ directions.mT
