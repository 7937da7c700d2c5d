import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor

from lightning_modules.losses.features import pool
from lightning_modules.losses.global_batch import of_global_batch

TINY = 1e-7


@of_global_batch(pool)
def pkt(student: Tensor, teacher: Tensor) -> Tensor:
    """Probabilistic knowledge transfer (Passalis & Tefas, ECCV 2018, section 3).

    KL divergence of the probabilities with which a sample chooses each other one as its neighbour,
    in proportion to (1 + cos) / 2; mean over the samples. Takes pooled features, `[B, C]` each.
    """
    p, q = _neighbours(teacher), _neighbours(student)
    return (p * ((p + TINY) / (q + TINY)).log()).sum(1).mean()


def _neighbours(rows: Tensor) -> Tensor:
    """Return the probabilities of the neighbours of each sample, `[B, B]`, 0 on the diagonal."""
    unit = F.normalize(rows, dim=1)
    kernel = (unit @ unit.T + 1) / 2
    kernel = kernel * (1 - torch.eye(len(rows), dtype=rows.dtype, device=rows.device))
    return kernel / kernel.sum(1, keepdim=True).clamp_min(TINY)
