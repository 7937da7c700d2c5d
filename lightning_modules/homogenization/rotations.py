import math
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
    """Parametrizes a layer's weight W as W R_k, so that the layer computes W R_k z from z.

    `rotation` returns the current R_k, `[C, C]`, of a task k.
    """

    def __init__(self, rotation: Callable[[int], Tensor], task: int) -> None:
        super().__init__()
        self.rotation = rotation
        self.task = task

    def forward(self, weight: Tensor) -> Tensor:
        """Rotate the input channels of `[out, C]` or `[out, C, kh, kw]`."""
        rotation = self.rotation(self.task).to(weight.dtype)
        rotated = torch.einsum("oc...,cd->od...", weight, rotation)
        # A 1x1 weight with the strides of channels-last would make the layer reorder the map.
        order, back = memory_order(weight)
        shape = [weight.shape[dim] for dim in order]
        return rotated.permute(order).flatten().view(shape).permute(back)


def memory_order(tensor: Tensor) -> tuple[list[int], list[int]]:
    """Return the permutation of a tensor's dimensions to their order in memory, and its inverse."""
    order = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
    return order, [order.index(dim) for dim in range(tensor.ndim)]


def lie_gradients(unit: Tensor) -> Tensor:
    """Compute the gradient of the rotation loss in the Lie algebra so(C), `[K, C, C]`, skew.

    For the published loss -Σ_n <R_kᵀ g~_{k,n}, v_n>, with gradients u_k of unit norm and
    v = mean_k u_k, it is Omega_k = Vᵀ U_k - U_kᵀ V. The official code's loss
    Σ_n |R_k v_n - g~_{k,n}|² has the same gradient times 2 |ḡ| |g_k|, with ḡ = mean_k g_k. The
    normalized form is independent of the loss scale, the world size and the batch size. `unit`:
    task gradients at z with unit Frobenius norm, as rows, `[K, rows, C]`.
    """
    outer = unit.mean(0).T @ unit
    return outer - outer.mT


def rows_of(gradients: Tensor) -> Tensor:
    """Reshape gradients `[K, B, C]` or `[K, B, C, h, w]` to rows, `[K, rows, C]`."""
    return gradients.flatten(3).movedim(2, -1).flatten(1, -2) if gradients.ndim > 3 else gradients


def sample_rows(gradients: Tensor, count: int, seed: int) -> Tensor:
    """Draw `count` rows of `rows_of(gradients)` with replacement, the same rows for every task.

    They are scaled so that products of the form Vᵀ U, as in `lie_gradients`, keep their mean. If
    there are at most `count` rows, all are returned.
    """
    maps = gradients.flatten(3) if gradients.ndim > 3 else gradients[..., None]
    places = maps.shape[-1]
    rows = gradients.shape[1] * places
    if rows <= count:
        return rows_of(gradients)
    generator = torch.Generator(gradients.device).manual_seed(seed)
    drawn = torch.randint(rows, (count,), generator=generator, device=gradients.device)
    # Indexing two dimensions that are apart moves the drawn rows to the front.
    sample = maps[:, drawn // places, :, drawn % places].transpose(0, 1)
    return sample * math.sqrt(rows / count)


def retract(rotations: Tensor, skew: Tensor) -> Tensor:
    """Move by Cayley's map: R (I - A/2)⁻¹ (I + A/2), with A skew, `[K, C, C]`.

    The result is on SO(C) exactly and differs from the geodesic R exp(A) at third order of A. For
    C = 512 it costs a fifth of the exponential.
    """
    identity = torch.eye(skew.shape[-1], device=skew.device, dtype=skew.dtype)
    return rotations @ _solve(identity - skew / 2, identity + skew / 2)


def retract_low_rank(rotations: Tensor, unit: Tensor, lr: float) -> Tensor:
    """Move by the same map for A = -lr Omega, with Omega of a few rows only.

    With W = [Vᵀ U_kᵀ], `[C, 2 rows]`, A = W J Wᵀ with J = lr [[0, -I], [I, 0]]. By Woodbury's
    identity R moves by R W (I - J WᵀW / 2)⁻¹ J Wᵀ (Wen & Yin, Math. Program. 2013, section 2.1),
    so the matrix that is inverted has the size of the rows, not of the channels. `unit`: rows of
    the task gradients with unit norm, `[K, rows, C]`.
    """
    mean = unit.mean(0).expand_as(unit)
    factors = torch.cat([mean, unit], dim=1).mT  # W
    twisted = lr * torch.cat([-unit, mean], dim=1)  # J Wᵀ
    identity = torch.eye(factors.shape[-1], device=unit.device, dtype=unit.dtype)
    step = _solve(identity - twisted @ factors / 2, twisted)
    return torch.baddbmm(rotations, rotations @ factors, step)


def _solve(matrices: Tensor, right: Tensor) -> Tensor:
    """Solve `[K, n, n]` X = `[K, n, m]` for regular matrices, without waiting for a GPU."""
    if matrices.is_cuda:
        return torch.linalg.solve_ex(matrices, right).result
    # One at a time: for a batch torch calls MKL's LU from several threads at once, which has
    # returned wrong pivots in long runs.
    pairs = zip(matrices, right, strict=True)
    return torch.stack([torch.linalg.solve_ex(one, other).result for one, other in pairs])


def orthonormalize(rotations: Tensor) -> Tensor:
    """Take one Newton-Schulz step, which squares the error of a nearly orthogonal R."""
    identity = torch.eye(rotations.shape[-1], device=rotations.device, dtype=rotations.dtype)
    return rotations @ (1.5 * identity - 0.5 * rotations.mT @ rotations)


def orthogonality_error(rotations: Tensor) -> Tensor:
    """Return the largest element of |RᵀR - I| over all tasks, for R `[K, C, C]`."""
    identity = torch.eye(rotations.shape[-1], dtype=rotations.dtype, device=rotations.device)
    return (rotations.mT @ rotations - identity).abs().max()
