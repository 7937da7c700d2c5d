from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, distributed, nn

from errors import InputError
from lightning_modules.homogenization.fan_out import FanOut
from lightning_modules.homogenization.rotations import (
    haar_rotations,
    identity_rotations,
    lie_gradients,
    retract,
    rotate,
)
from lightning_modules.homogenization.weightings import create_weighting


@dataclass(frozen=True)
class HomogenizedGradients:
    """What the last backward saw at z, over the global batch.

    Attributes:
        gramian: <g_i, g_j>, `[K, K]`.
        weights: w, `[K]`.
    """

    gramian: Tensor
    weights: Tensor

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

    A step whose gradients are not finite passes their sum on, for a loss scaler or a guard to see,
    and leaves g^0, counters and rotations as they were.

    Args:
        num_tasks: Number of tasks K.
        channels: Channels C of z.
        weighting: "rotograd" or "sum".
        rotate: Learn rotations; without them every view is z.
        rotation_init: "identity", or "haar" as the official package starts.
        burn_in: Steps after which RotoGrad's g^0 is taken again.
    """

    def __init__(
        self,
        num_tasks: int,
        channels: int,
        weighting: str = "rotograd",
        rotate: bool = True,
        rotation_init: Literal["identity", "haar"] = "identity",
        burn_in: int = 20,
    ) -> None:
        super().__init__()
        self.num_tasks = num_tasks
        self.channels = channels
        self.rotate = rotate
        self.weighting = create_weighting(weighting, num_tasks, burn_in)
        start = haar_rotations if rotation_init == "haar" else identity_rotations
        self.register_buffer("rotations", start(num_tasks, channels))
        self.rotations: Tensor
        self.last: HomogenizedGradients | None = None
        self._lie_gradients: Tensor | None = None

    def forward(self, z: Tensor) -> tuple[Tensor, ...]:
        """Give the K views of z, each of its shape `[B, C]` or `[B, C, h, w]`.

        Raises:
            ValueError: z has not C channels.
        """
        if z.shape[1] != self.channels:
            msg = f"the homogenizer was built for {self.channels} channels, z has {z.shape[1]}"
            raise ValueError(msg)
        rotations = self.rotations if self.rotate else None
        views: tuple[Tensor, ...] = FanOut.apply(z, rotations, self.num_tasks, self._homogenize)
        return views

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
        identity = torch.eye(self.channels, dtype=rotations.dtype, device=rotations.device)
        drift = (rotations.mT @ rotations - identity).abs().max().item()
        if drift > 1e-4 or (torch.linalg.det(rotations) < 0).any():
            msg = f"rotations must lie in SO({self.channels}): |RᵀR - I| is {drift:.1e}"
            raise InputError(msg)
        self.rotations = rotations.to(self.rotations, copy=True)

    @torch.no_grad()
    def step_rotations(self, lr: float) -> None:
        """Move every R_k by -lr along the last backward's gradient in the Lie algebra."""
        if self._lie_gradients is None:
            return
        self.rotations = retract(self.rotations, -lr * self._lie_gradients)
        self._lie_gradients = None

    def _homogenize(self, gradients: tuple[Tensor, ...]) -> Tensor:
        accurate = torch.promote_types(gradients[0].dtype, torch.float32)
        tasks = torch.stack([gradient.to(accurate) for gradient in gradients])
        if self.rotate:
            # rotate() multiplies by R, so the transpose brings g~ back to z.
            tasks = torch.stack(
                [rotate(g, r.T) for g, r in zip(tasks, self.rotations, strict=True)]
            )
        flat = tasks.flatten(1)
        ranks = distributed.get_world_size() if _distributed() else 1
        # Each rank's loss is a mean over its share, and DDP averages: g is 1/ranks of the stack.
        gramian = _all_reduce(flat @ flat.T) / ranks**2
        if not gramian.isfinite().all():
            self._lie_gradients = None
            return tasks.sum(0).to(gradients[0].dtype)
        weights = self.weighting(gramian)
        self.last = HomogenizedGradients(gramian, weights)
        if self.rotate:
            self._lie_gradients = _all_reduce(lie_gradients(tasks / ranks, self.last.norms))
        homogenized = (weights.to(flat) @ flat).view_as(gradients[0])
        return homogenized.to(gradients[0].dtype)


def _distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _all_reduce(tensor: Tensor) -> Tensor:
    if _distributed():
        tensor = tensor.contiguous()
        distributed.all_reduce(tensor)
    return tensor
