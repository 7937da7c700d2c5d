import difflib
from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from errors import InputError


class Weighting(nn.Module):
    """A function of the Gramian of the task gradients: G `[K, K]` to weights w `[K]`.

    The shared gradient is then Σ_k w_k g_k. State is kept in buffers, so a resume is exact.
    """

    @abstractmethod
    def forward(self, gramian: Tensor) -> Tensor:
        """Give the weights, `[K]`."""


class Sum(Weighting):
    """Plain distillation: every gradient as it comes, w = 1."""

    def __init__(self, num_tasks: int, burn_in: int) -> None:
        super().__init__()

    def forward(self, gramian: Tensor) -> Tensor:
        """Give ones."""
        return torch.ones_like(gramian[0])


class RotoGrad(Weighting):
    """RotoGrad's magnitude part (Javaloy & Valera, ICLR 2022, section 4.1).

    rho_k = |g_k| / |g_k^0|, alpha = rho / Σ rho, c = Σ_k alpha_k |g_k| and w_k = c / |g_k|: every
    task gets the same norm c, which leans towards the tasks that have converged least.
    All of it is unchanged when the gradients share a scale, such as a loss scaler's.

    g^0 is taken at the first call and once more after `burn_in` calls, as in the official code. A
    task without a gradient gets the weight 0, and its g^0 is taken when it first has one.

    Args:
        num_tasks: Number of tasks K.
        burn_in: Calls after which g^0 is taken again.
    """

    def __init__(self, num_tasks: int, burn_in: int) -> None:
        super().__init__()
        self.burn_in = burn_in
        self.register_buffer("initial_norms", torch.zeros(num_tasks))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.initial_norms: Tensor
        self.calls: Tensor

    def forward(self, gramian: Tensor) -> Tensor:
        """Give c / |g_k|, and count the call."""
        norms = gramian.diagonal().clamp_min(0).sqrt()
        retake = (self.calls == 0) | (self.calls == self.burn_in)
        self.initial_norms = torch.where(
            retake | (self.initial_norms == 0), norms.to(self.initial_norms), self.initial_norms
        )
        self.calls += 1
        alive = norms > 0
        ratio = torch.where(alive, norms / self.initial_norms, 0)
        alpha = ratio / ratio.sum().clamp_min(torch.finfo(ratio.dtype).tiny)
        common = (alpha * norms).sum()
        return torch.where(alive, common / norms, 0)


WEIGHTINGS: dict[str, Callable[[int, int], Weighting]] = {"sum": Sum, "rotograd": RotoGrad}


def create_weighting(name: str, num_tasks: int, burn_in: int) -> Weighting:
    """Make a weighting by its name.

    Raises:
        InputError: There is no such weighting.
    """
    if name not in WEIGHTINGS:
        near = difflib.get_close_matches(name, WEIGHTINGS, n=1) or list(WEIGHTINGS)
        msg = f"weighting {name!r} does not exist: did you mean {' or '.join(near)}?"
        raise InputError(msg)
    return WEIGHTINGS[name](num_tasks, burn_in)
