import math

import torch
from torch import Tensor


def dct_matrix(size: int) -> Tensor:
    """Return the orthonormal DCT-II matrix D, float64 `[size, size]`: the 2-D DCT is D x Dᵀ."""
    frequency = torch.arange(size, dtype=torch.float64)[:, None]
    position = torch.arange(size, dtype=torch.float64)[None, :]
    matrix = torch.cos(math.pi * (2 * position + 1) * frequency / (2 * size)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix
