from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, distributed, nn
from torch.nn.utils.parametrize import register_parametrization

from errors import InputError
from lightning_modules.homogenization.fan_out import FanOut
from lightning_modules.homogenization.registry import create_weighting
from lightning_modules.homogenization.rotated_input import RotatedInput
from lightning_modules.homogenization.rotations import (
    haar_rotations,
    identity_rotations,
    lie_gradients,
    orthogonality_error,
    orthonormalize,
    retract,
    retract_low_rank_,
    rotate,
    rows_of,
)
from lightning_modules.homogenization.rotograd import RotoGrad

# Rounding in float32 moves R from SO(C) by some 1e-8 a step; this keeps it below 1e-5 for ever.
STEPS_BETWEEN_ORTHONORMALIZATIONS = 500


@dataclass(frozen=True)
class HomogenizedGradients:
    """What the last backward saw at z, over the global batch.

    Attributes:
        gramian: <g_i, g_j>, `[K, K]`.
        weights: w, `[K]`.
        alpha: RotoGrad's share of each task in the common norm, `[K]`; none for others.
    """

    gramian: Tensor
    weights: Tensor
    alpha: Tensor | None = None

    @property
    def norms(self) -> Tensor:
        """|g_k|, `[K]`."""
        return self.gramian.diagonal().clamp_min(0).sqrt()

    @property
    def cosines(self) -> Tensor:
        """Pairwise cosines of the task gradients, `[K, K]`; 0 where a gradient is zero."""
        outer = self.norms[:, None] * self.norms[None, :]
        return torch.where(outer > 0, self.gramian / outer, 0)


class GradientHomogenizer(nn.Module):
    """Gradient homogenization at the student's shared feature (RotoGrad, arXiv 2103.02631).

    Called on z it returns K rotated views, one for each task. One backward through losses of these
    views leaves Σ_k w_k g_k at z, with g_k = R_kᵀ g~_k and w a function of the Gramian of the g_k
    over the global batch: under DDP one all-reduce of K² numbers. Then `step_rotations` moves R.

    Rotating a wide map costs more than projecting it. Where a task's view goes into linear layers,
    `fold_into` rotates their weights in place of the map, which is the same function.

    A step whose gradients are not finite passes their sum on, for a loss scaler or a guard to see,
    and leaves g^0, the weighting's counters and the rotations as they were.

    Args:
        num_tasks: Number of tasks K, 1 or more.
        channels: Channels C of z.
        weighting: By its name: sum, rotograd, or one of TorchJD's.
        rotate: Learn rotations; without them every view is z.
        rotation_init: "identity", or "haar" as the official package starts.
        burn_in: Steps after which RotoGrad's g^0 is taken again.
        rotation_interval: Steps after which the rotations move, then so much farther. Of maps a
            move costs C³, so that 8 is wise for C of 256 and more.

    Attributes:
        last: What the last backward saw; none before the first.
        reuse_weights: Take the last backward's weights and leave all state, as for the further
            batches of an accumulated step.

    Raises:
        InputError: There is no such weighting.
    """

    def __init__(
        self,
        num_tasks: int,
        channels: int,
        weighting: str = "rotograd",
        rotate: bool = True,
        rotation_init: Literal["identity", "haar"] = "identity",
        burn_in: int = 20,
        rotation_interval: int = 1,
    ) -> None:
        super().__init__()
        self.num_tasks = num_tasks
        self.channels = channels
        self.rotate = rotate
        self.weighting = create_weighting(weighting, num_tasks, burn_in)
        start = haar_rotations if rotation_init == "haar" else identity_rotations
        self.register_buffer("rotations", start(num_tasks, channels))
        self.rotations: Tensor
        self.rotation_interval = rotation_interval
        self.rotation_steps = 0
        self.reuse_weights = False
        self.last: HomogenizedGradients | None = None
        self._folded: set[int] = set()
        self._gradients: Tensor | None = None  # at z, and at the views
        self._rotated: Tensor | None = None

    def fold_into(self, task: int, layers: Iterable[nn.Module]) -> None:
        """Let linear layers or convolutions see R_k z where they are given z.

        From then on this task's view is z itself, for these layers to see.

        Args:
            task: Its number k.
            layers: Of C input channels; all that the task's view goes into.
        """
        self._folded.add(task)
        if self.rotate:
            for layer in layers:
                seen = RotatedInput(self._rotation, task)
                register_parametrization(layer, "weight", seen, unsafe=True)

    def forward(self, z: Tensor) -> tuple[Tensor, ...]:
        """Give the K views of z, each of its shape `[B, C]` or `[B, C, h, w]`.

        Raises:
            ValueError: z has not C channels.
        """
        if z.shape[1] != self.channels:
            msg = f"the homogenizer was built for {self.channels} channels, z has {z.shape[1]}"
            raise ValueError(msg)
        views: tuple[Tensor, ...] = FanOut.apply(z, self.num_tasks, self._rotate, self._homogenize)
        return views

    def view(self, z: Tensor, task: int) -> Tensor:
        """Give one task's view of z, for inference: its gradient is not homogenized."""
        return self._rotate(z, task)

    def set_rotations(self, rotations: Tensor) -> None:
        """Set the rotations, `[K, C, C]`.

        Raises:
            InputError: They have another shape or are not orthogonal with determinant 1.
        """
        if rotations.shape != self.rotations.shape:
            msg = (
                f"rotations have shape {list(rotations.shape)}, "
                f"expected {list(self.rotations.shape)}"
            )
            raise InputError(msg)
        drift = orthogonality_error(rotations).item()
        if drift > 1e-4 or (torch.linalg.det(rotations) < 0).any():
            msg = f"rotations must lie in SO({self.channels}): |RᵀR - I| is {drift:.1e}"
            raise InputError(msg)
        self.rotations = rotations.to(self.rotations, copy=True)

    @torch.no_grad()
    def step_rotations(self, lr: float) -> None:
        """Move every R_k by -lr along the last backward's gradient in the Lie algebra.

        Steps of rank below C, which pooled features give, are made through small matrices.
        """
        if self._gradients is None or self._rotated is None:
            return
        self.rotation_steps += 1
        if self.rotation_steps % self.rotation_interval == 0:
            lr = lr * self.rotation_interval
            unit = self.unit_gradients(self._gradients)
            low_rank = 2 * unit.shape[1] < self.channels
            if low_rank and not self._folded and not _distributed():
                rotated = self.unit_gradients(self._rotated)
                retract_low_rank_(self.rotations, unit, rotated, lr)
            else:
                self.rotations = retract(self.rotations, -lr * _all_reduce(lie_gradients(unit)))
        self._gradients = self._rotated = None
        if self.rotation_steps % STEPS_BETWEEN_ORTHONORMALIZATIONS == 0:
            self.rotations = orthonormalize(self.rotations)

    def unit_gradients(self, gradients: Tensor) -> Tensor:
        """Lay this rank's task gradients out as rows, `[K, rows, C]`, of unit norm over all ranks.

        They are zero where the last backward's were not finite.
        """
        assert self.last is not None
        ranks = distributed.get_world_size() if _distributed() else 1
        scale = torch.where(self.last.norms > 0, 1 / (ranks * self.last.norms), 0)
        unit = rows_of(gradients) * scale[:, None, None].to(gradients)
        return torch.where(self.last.gramian.isfinite().all(), unit, 0)

    def get_extra_state(self) -> dict[str, int]:
        """Give the number of the rotations' steps; a buffer would make a GPU's host wait."""
        return {"rotation_steps": self.rotation_steps}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Take up the number of steps from a checkpoint."""
        self.rotation_steps = state["rotation_steps"]

    def _homogenize(self, gradients: tuple[Tensor, ...]) -> Tensor:
        accurate = torch.promote_types(gradients[0].dtype, torch.float32)
        rotated = [gradient.to(accurate) for gradient in gradients]
        tasks = torch.stack([self._rotate(g, k, back=True) for k, g in enumerate(rotated)])
        flat = tasks.flatten(1)
        if self.reuse_weights and self.last is not None:
            return self._combine(self.last.weights, flat, gradients[0])
        ranks = distributed.get_world_size() if _distributed() else 1
        # Each rank's loss is a mean over its share, and DDP averages: g is 1/ranks of the stack.
        gramian = _all_reduce(flat @ flat.T) / ranks**2
        weights = self._weigh(gramian)
        alpha = self.weighting.alpha if isinstance(self.weighting, RotoGrad) else None
        self.last = HomogenizedGradients(gramian, weights, alpha)
        if self.rotate:
            self._gradients, self._rotated = tasks, torch.stack(rotated)
        return self._combine(weights, flat, gradients[0])

    def _rotation(self, task: int) -> Tensor:
        return self.rotations[task]

    def _rotate(self, z: Tensor, task: int, back: bool = False) -> Tensor:
        """Apply R_k, or its transpose, to channels; a folded task's view is left as it is."""
        if not self.rotate or task in self._folded:
            return z
        rotation = self.rotations[task]
        return rotate(z, rotation.T if back else rotation)

    @staticmethod
    def _combine(weights: Tensor, flat: Tensor, like: Tensor) -> Tensor:
        return (weights.to(flat) @ flat).view_as(like).to(like.dtype)

    def _weigh(self, gramian: Tensor) -> Tensor:
        """Ask the weighting; where the Gramian is not finite, give ones and keep its state.

        Both are chosen by the device, so that the host need not wait for it.
        """
        finite = gramian.isfinite().all()
        before = {name: buffer.clone() for name, buffer in self.weighting.named_buffers()}
        weights = self.weighting(
            torch.where(finite, gramian, torch.eye(self.num_tasks).to(gramian))
        )
        for name, buffer in self.weighting.named_buffers():
            buffer.copy_(torch.where(finite, buffer, before[name]))
        return torch.where(finite, weights, 1)


def _distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _all_reduce(tensor: Tensor) -> Tensor:
    if _distributed():
        tensor = tensor.contiguous()
        distributed.all_reduce(tensor)
    return tensor
