import torch
from torch import Tensor


def identity_rotations(num_tasks: int, channels: int) -> Tensor:
    """Return K identities, `[K, C, C]`."""
    return torch.eye(channels).repeat(num_tasks, 1, 1)


def haar_rotations(num_tasks: int, channels: int) -> Tensor:
    """Draw K rotations uniformly from SO(C), `[K, C, C]` (Mezzadri, 2007)."""
    q, r = torch.linalg.qr(torch.randn(num_tasks, channels, channels, dtype=torch.float64))
    q = q * r.diagonal(dim1=1, dim2=2).sign()[:, None, :]
    reflected = torch.linalg.det(q) < 0
    q[reflected, :, 0] *= -1
    return q.float()


def rotate(z: Tensor, rotation: Tensor) -> Tensor:
    """Apply R `[C, C]` to the channels of z, `[B, C]` or `[B, C, h, w]`."""
    rotation = rotation.to(z.dtype)
    if z.ndim == 2:
        return z @ rotation.T
    return (rotation @ z.flatten(2)).view_as(z)


def lie_gradients(gradients: Tensor, norms: Tensor) -> Tensor:
    """Gradient of the rotation loss in the Lie algebra so(C), for every task.

    Of the published loss -Σ_n <R_kᵀ g~_{k,n}, v_n>, with every gradient at unit norm u_k and
    v = mean_k u_k: Omega_k = Vᵀ U_k - U_kᵀ V, `[K, C, C]`, skew. The official code's loss
    Σ_n |R_k v_n - g~_{k,n}|² has the same gradient times 2 |ḡ| |g_k|, ḡ = mean_k g_k. The
    normalized form does not change with the loss scale, the world size or the batch size.

    Args:
        gradients: Task gradients at z, `[K, B, C]` or `[K, B, C, h, w]`.
        norms: Their Frobenius norms `[K]` over the global batch; a zero leaves its task out.
    """
    rows = gradients.flatten(3).movedim(2, -1).flatten(1, -2) if gradients.ndim > 3 else gradients
    scale = torch.where(norms > 0, 1 / norms, 0)
    unit = rows * scale[:, None, None].to(rows)
    outer = unit.mean(0).T @ unit
    return outer - outer.mT


def retract(rotations: Tensor, skew: Tensor) -> Tensor:
    """Move along the geodesic: R exp(A), A skew, `[K, C, C]`.

    One Newton-Schulz step follows, which keeps R orthogonal to rounding over any number of steps.
    """
    moved = rotations @ torch.linalg.matrix_exp(skew)
    identity = torch.eye(moved.shape[-1], device=moved.device, dtype=moved.dtype)
    return moved @ (1.5 * identity - 0.5 * moved.mT @ moved)
