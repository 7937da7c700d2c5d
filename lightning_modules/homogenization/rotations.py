from collections.abc import Callable

import torch
from torch import Tensor, nn


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


class RotatedInput(nn.Module):
    """Parametrizes a layer's weight W as W R_k: the layer then sees R_k z when it is given z.

    Args:
        rotation: Returns the current R_k, `[C, C]`, for a task k.
        task: The task's number k.
    """

    def __init__(self, rotation: Callable[[int], Tensor], task: int) -> None:
        super().__init__()
        self.rotation = rotation
        self.task = task

    def forward(self, weight: Tensor) -> Tensor:
        """Rotate the input channels of `[out, C]` or `[out, C, kh, kw]`."""
        rotation = self.rotation(self.task).to(weight.dtype)
        return torch.einsum("oc...,cd->od...", weight, rotation)


def lie_gradients(unit: Tensor) -> Tensor:
    """Compute the gradient of the rotation loss in the Lie algebra so(C), `[K, C, C]`, skew.

    For the published loss -Σ_n <R_kᵀ g~_{k,n}, v_n>, with gradients u_k of unit norm and
    v = mean_k u_k, it is Omega_k = Vᵀ U_k - U_kᵀ V. The official code's loss
    Σ_n |R_k v_n - g~_{k,n}|² has the same gradient times 2 |ḡ| |g_k|, with ḡ = mean_k g_k. The
    normalized form is independent of the loss scale, the world size and the batch size.

    Args:
        unit: Task gradients at z with unit Frobenius norm, as rows: `[K, rows, C]`.
    """
    outer = unit.mean(0).T @ unit
    return outer - outer.mT


def rows_of(gradients: Tensor) -> Tensor:
    """Reshape gradients `[K, B, C]` or `[K, B, C, h, w]` to rows, `[K, rows, C]`."""
    return gradients.flatten(3).movedim(2, -1).flatten(1, -2) if gradients.ndim > 3 else gradients


def retract(rotations: Tensor, skew: Tensor) -> Tensor:
    """Move by Cayley's map: R (I - A/2)⁻¹ (I + A/2), with A skew, `[K, C, C]`.

    The result is on SO(C) exactly and differs from the geodesic R exp(A) at third order of A. For
    C = 512 it costs a fifth of the exponential.
    """
    identity = torch.eye(skew.shape[-1], device=skew.device, dtype=skew.dtype)
    # One at a time: for a batch torch calls MKL's LU from several threads at once, which has
    # returned wrong pivots in long runs.
    steps = [torch.linalg.solve(identity - one / 2, identity + one / 2) for one in skew]
    return rotations @ torch.stack(steps)


def retract_low_rank_(rotations: Tensor, unit: Tensor, rotated: Tensor, lr: float) -> None:
    """Move along the geodesic R exp(-lr Omega) in place: exact, and cheap for few rows.

    With W = [Vᵀ U_kᵀ], `[C, 2 rows]`, the step is A = W J Wᵀ, J = lr [[0, -I], [I, 0]], and
    exp(A) = I + W φ(J WᵀW) J Wᵀ with φ(X) = (exp(X) - 1) / X. The matrices of the series have the
    size of the rows, not of the channels.

    Args:
        rotations: R, `[K, C, C]`.
        unit: Task gradients with unit norm, `[K, rows, C]`.
        rotated: The same gradients at the rotated views, U_k R_kᵀ.
        lr: Step size.
    """
    mean = unit.mean(0).expand_as(unit)
    factors = torch.cat([mean, unit], dim=1)  # Wᵀ
    twisted = lr * torch.cat([-unit, mean], dim=1)  # J Wᵀ
    x = twisted @ factors.mT
    identity = torch.eye(x.shape[-1], device=x.device, dtype=x.dtype)
    series = identity.expand_as(x)
    # |X| <= 2 lr, because |V| <= |U_k| = 1.
    for n in range(_terms(2 * abs(lr), torch.finfo(x.dtype).eps), 1, -1):
        series = identity + x @ series / n
    moved = torch.cat([rotations @ mean.mT, rotated.mT], dim=2)  # R W
    rotations.baddbmm_(moved, series @ twisted)


def _terms(norm: float, precision: float) -> int:
    """Return the number of terms of exp(X) that a precision needs for a matrix of this norm."""
    term, n = 1.0, 1
    while term > precision:
        n += 1
        term *= norm / n
    return n


def orthonormalize(rotations: Tensor) -> Tensor:
    """Take one Newton-Schulz step, which squares the error of a nearly orthogonal R."""
    identity = torch.eye(rotations.shape[-1], device=rotations.device, dtype=rotations.dtype)
    return rotations @ (1.5 * identity - 0.5 * rotations.mT @ rotations)


def orthogonality_error(rotations: Tensor) -> Tensor:
    """Return the largest element of |RᵀR - I| over all tasks, for R `[K, C, C]`."""
    identity = torch.eye(rotations.shape[-1], dtype=rotations.dtype, device=rotations.device)
    return (rotations.mT @ rotations - identity).abs().max()
