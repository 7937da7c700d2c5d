import torch
from torch import Tensor

from lightning_modules.homogenization.base import Weighting


class RotoGrad(Weighting):
    """RotoGrad's magnitude part (Javaloy & Valera, ICLR 2022, section 4.1).

    rho_k = |g_k| / |g_k^0|, alpha = rho / Σ rho, c = Σ_k alpha_k |g_k| and w_k = c / |g_k|. Every
    task's gradient gets the same norm c, which follows the tasks that have converged least. A
    common scale of the gradients, such as a loss scaler's, leaves the weights unchanged.

    g^0 is taken at the first call and once more after `burn_in` calls, as in the official code. A
    task without a gradient gets the weight 0, and its g^0 is taken when it first has one.

    Attributes:
        alpha: alpha of the last call, `[K]`.
    """

    def __init__(self, num_tasks: int, burn_in: int) -> None:
        super().__init__(num_tasks, burn_in)
        self.register_buffer("initial_norms", torch.zeros(num_tasks))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.register_buffer("alpha", torch.zeros(num_tasks), persistent=False)
        self.initial_norms: Tensor
        self.calls: Tensor
        self.alpha: Tensor

    def forward(self, gramian: Tensor) -> Tensor:
        """Compute c / |g_k| and count the call."""
        norms = gramian.diagonal().clamp_min(0).sqrt()
        retake = (self.calls == 0) | (self.calls == self.burn_in)
        self.initial_norms = torch.where(
            retake | (self.initial_norms == 0), norms.to(self.initial_norms), self.initial_norms
        )
        self.calls = self.calls + 1
        alive = norms > 0
        ratio = torch.where(alive, norms / self.initial_norms, 0)
        self.alpha = ratio / ratio.sum().clamp_min(torch.finfo(ratio.dtype).tiny)
        common = (self.alpha * norms).sum()
        return torch.where(alive, common / norms, 0)
