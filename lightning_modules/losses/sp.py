import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor

from lightning_modules.losses.global_batch import of_global_batch


@of_global_batch(lambda feature: feature.flatten(1))
def sp(student: Tensor, teacher: Tensor) -> Tensor:
    """Similarity-preserving distillation (Tung & Mori, ICCV 2019, section 3).

    |G_T - G_S|² / B², where G is Q Qᵀ with rows of unit norm and Q `[B, C h w]` holds the features.
    """
    return (_similarities(teacher) - _similarities(student)).square().sum() / len(student) ** 2


def _similarities(rows: Tensor) -> Tensor:
    return F.normalize(rows @ rows.T, dim=1)
