from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from errors import InputError
from lightning_modules.homogenization.collectives import all_gather, all_reduce, count_ranks, rank
from lightning_modules.homogenization.fan_out import FanOut, HomogenizedGradients
from lightning_modules.homogenization.registry import create_weighting
from lightning_modules.homogenization.rotations import (
    RotatedInput,
    haar_rotations,
    identity_rotations,
    lie_gradients,
    memory_order,
    orthogonality_error,
    orthonormalize,
    retract,
    retract_low_rank,
    rotate,
    rows_of,
    sample_rows,
)
from lightning_modules.homogenization.rotograd import RotoGrad

# Rounding in float32 moves R off SO(C) by about 1e-8 per step; this keeps the error below 1e-5.
STEPS_BETWEEN_ORTHONORMALIZATIONS = 500
# A move costs C³ for a map. With these two, moves and their gradients cost a few per cent of a step
# at every width (benchmarks/homogenization).
_CHANNELS_PER_STEP = 64
_ROWS_PER_STEP = 4


class GradientHomogenizer(nn.Module):
    """Gradient homogenization at the student's shared feature z (RotoGrad, arXiv 2103.02631).

    Called on z it returns K rotated views, one per task. One backward through losses of these views
    leaves Σ_k w_k g_k at z, with g_k = R_kᵀ g~_k and w a function of the Gramian of the g_k over
    the global batch (under DDP one all-reduce of K² numbers). `step_rotations` then updates R.

    In a step with gradients that are not finite, their sum is the gradient at z, for a loss scaler
    or a guard to detect; g^0, the weighting's state and the rotations stay unchanged.

    Args:
        num_tasks: Number of tasks K, 1 or more.
        channels: Number of channels C of z.
        weighting: sum, rotograd, one of TorchJD's, or the class path of a Weighting.
        rotate: Learn rotations; otherwise every view is z.
        rotation_init: "identity", or "haar" as in the official package.
        burn_in: Number of steps after which RotoGrad takes g^0 again.
        rotation_interval: Number of steps between moves of the rotations; default: C / 64, and 1
            below C = 128. With more than 1, a move follows the sum of the steps' gradients, each
            estimated without bias from a few random rows.

    Attributes:
        last: Gradients of the last backward; None before the first.

    Raises:
        InputError: The weighting does not exist.
    """

    def __init__(
        self,
        num_tasks: int,
        channels: int,
        weighting: str = "rotograd",
        rotate: bool = True,
        rotation_init: Literal["identity", "haar"] = "identity",
        burn_in: int = 20,
        rotation_interval: int | None = None,
    ) -> None:
        super().__init__()
        self.num_tasks = num_tasks
        self.channels = channels
        self.rotate = rotate
        self.weighting = create_weighting(weighting, num_tasks, burn_in)
        start = haar_rotations if rotation_init == "haar" else identity_rotations
        self.register_buffer("rotations", start(num_tasks, channels))
        self.rotations: Tensor
        self.rotation_interval = rotation_interval or max(1, channels // _CHANNELS_PER_STEP)
        self.rotation_steps = 0
        self.last: HomogenizedGradients | None = None
        self._folded: set[int] = set()
        self._gradients: Tensor | None = None
        self._before: dict[str, Tensor] = {}  # the weighting's state before the last backward
        self._rows: list[Tensor] = []  # of the steps since the last move, of all ranks

    def fold_into(self, task: int, layers: Iterable[nn.Module]) -> None:
        """Rotate the weights of all layers that read task k's view, which is z from then on.

        The function is the same, at a lower cost than rotating a wide map.
        """
        self._folded.add(task)
        if self.rotate:
            for layer in layers:
                seen = RotatedInput(self._rotation, task)
                register_parametrization(layer, "weight", seen, unsafe=True)

    def forward(
        self, z: Tensor, reuse_weights: bool = False, loss_scale: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return the K views of z, each with its shape `[B, C]` or `[B, C, h, w]`.

        With `reuse_weights` the last backward's weights combine this batch's gradients and no state
        changes, as for the further batches of an accumulated step. The weighting does not see
        `loss_scale`, the factor of the loss.

        Raises:
            ValueError: z does not have C channels.
        """
        if z.shape[1] != self.channels:
            msg = f"the homogenizer was built for {self.channels} channels, z has {z.shape[1]}"
            raise ValueError(msg)
        homogenize = partial(self._homogenize, reuse_weights=reuse_weights, scale=loss_scale)
        return FanOut.apply(z, self.num_tasks, self.view, homogenize)

    def view(self, z: Tensor, task: int, back: bool = False) -> Tensor:
        """Return one task's view R_k z, or R_kᵀ z with `back`; a folded task's view is z."""
        if not self.rotate or task in self._folded:
            return z
        rotation = self.rotations[task]
        return rotate(z, rotation.T if back else rotation)

    def set_rotations(self, rotations: Tensor) -> None:
        """Set the rotations, `[K, C, C]`.

        Raises:
            InputError: They have another shape or are not orthogonal with determinant 1.
        """
        if (shape := list(rotations.shape)) != (expected := list(self.rotations.shape)):
            msg = f"rotations have shape {shape}, expected {expected}"
            raise InputError(msg)
        drift = orthogonality_error(rotations).item()
        least = torch.linalg.det(rotations).min().item()
        if not (drift <= 1e-4 and least > 0):  # false for NaN
            found = f"|RᵀR - I| is {drift:.1e}, the smallest determinant {least:.3g}"
            msg = f"rotations must lie in SO({self.channels}): {found}"
            raise InputError(msg)
        self.rotations = rotations.to(self.rotations, copy=True)

    @torch.no_grad()
    def step_rotations(self, lr: float) -> None:
        """Move every R_k by -lr along the last backward's gradient in the Lie algebra.

        With a rotation_interval n, every n-th call moves along the sum of n gradients.
        """
        if self._gradients is None:
            return
        rows, of_all_ranks = self._rows_of_step(self._gradients)
        self._rows.append(rows)
        self._gradients = None
        self.rotation_steps += 1
        if self.rotation_steps % self.rotation_interval == 0:
            rows = torch.cat(self._rows, dim=1)
            self._rows = []
            if of_all_ranks and 2 * rows.shape[1] < self.channels:
                self.rotations = retract_low_rank(self.rotations, rows, lr)
            else:
                gradient = lie_gradients(rows)
                skew = -lr * (gradient if of_all_ranks else all_reduce(gradient))
                self.rotations = retract(self.rotations, skew)
        if self.rotation_steps % STEPS_BETWEEN_ORTHONORMALIZATIONS == 0:
            self.rotations = orthonormalize(self.rotations)

    def discard_step(self) -> None:
        """Undo the last backward, after which a loss scaler skipped the optimizer's step."""
        for name, buffer in self.weighting.named_buffers():
            buffer.copy_(self._before[name])
        self._gradients = None

    def unit_gradients(self, rows: Tensor) -> Tensor:
        """Scale gradients `[K, rows, C]` to unit norm over all ranks, or to 0 if not finite."""
        assert self.last is not None
        scale = torch.where(self.last.norms > 0, 1 / (count_ranks() * self.last.norms), 0)
        unit = rows * scale[:, None, None].to(rows)
        return torch.where(self.last.gramian.isfinite().all(), unit, 0)

    def get_extra_state(self) -> dict[str, Any]:
        """Return the number of rotation steps, and the rows since the last move.

        As a buffer, the number would make a GPU's host wait for it.
        """
        rows = torch.cat(self._rows, dim=1) if self._rows else None
        return {"rotation_steps": self.rotation_steps, "rows": rows}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.rotation_steps = state["rotation_steps"]
        self._rows = [] if state["rows"] is None else [state["rows"].to(self.rotations.device)]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # A checkpoint is loaded before the module moves to its device.
        self._rows = [fn(rows) for rows in self._rows]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _rows_of_step(self, gradients: Tensor) -> tuple[Tensor, bool]:
        """Return unit gradients of this step as rows, and whether they are those of all ranks."""
        ranks = count_ranks()
        if self.rotation_interval > 1:
            seed = self.rotation_steps * ranks + rank()
            rows = sample_rows(gradients, -(-_ROWS_PER_STEP // ranks), seed)
            return all_gather(self.unit_gradients(rows)), True
        rows = self.unit_gradients(rows_of(gradients))
        # The batches of all ranks have the same size, so all ranks decide alike.
        if 2 * ranks * rows.shape[1] < self.channels:
            return all_gather(rows), True
        return rows, False

    def _homogenize(
        self, gradients: tuple[Tensor, ...], reuse_weights: bool, scale: Tensor | None
    ) -> Tensor:
        first = gradients[0]
        accurate = torch.promote_types(first.dtype, torch.float32)
        rotated = [self.view(g.to(accurate), k, back=True) for k, g in enumerate(gradients)]
        # In the order of memory, which may be channels-last, stacking is one plain copy.
        order, back = memory_order(first)
        tasks = torch.stack([gradient.permute(order) for gradient in rotated])
        if scale is not None:
            tasks /= scale
        flat = tasks.flatten(1)
        if self.last is None or not reuse_weights:
            # Each rank's loss is a mean over its share, and DDP averages: g is 1/ranks of `flat`.
            gramian = all_reduce(flat @ flat.T) / count_ranks() ** 2
            weights = self._weigh(gramian)
            alpha = self.weighting.alpha if isinstance(self.weighting, RotoGrad) else None
            self.last = HomogenizedGradients(gramian, weights, alpha)
            if self.rotate:
                self._gradients = tasks.permute(0, *(1 + dim for dim in back))
        weights = self.last.weights if scale is None else scale * self.last.weights
        combined = weights.to(flat) @ flat
        return combined.view_as(tasks[0]).permute(back).to(first.dtype)

    def _rotation(self, task: int) -> Tensor:
        return self.rotations[task]

    def _weigh(self, gramian: Tensor) -> Tensor:
        """Compute the weights; for a Gramian that is not finite, return ones and keep the state."""
        finite = gramian.isfinite().all()  # on the device, for which the host does not wait
        self._before = {name: b.clone() for name, b in self.weighting.named_buffers()}
        identity = torch.eye(self.num_tasks).to(gramian)
        weights = self.weighting(torch.where(finite, gramian, identity))
        for name, buffer in self.weighting.named_buffers():
            buffer.copy_(torch.where(finite, buffer, self._before[name]))
        return torch.where(finite, weights, 1)
