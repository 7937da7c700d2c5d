from abc import abstractmethod

from torch import Tensor, nn


class Weighting(nn.Module):
    """A function of the Gramian of the task gradients: G `[K, K]` to weights w `[K]`.

    The shared gradient is then Σ_k w_k g_k. State is kept in buffers, so a resumed run is exact.

    `burn_in` is the number of calls after which reference norms are taken again.
    """

    def __init__(self, num_tasks: int, burn_in: int) -> None:
        super().__init__()
        self.num_tasks = num_tasks
        self.burn_in = burn_in

    @abstractmethod
    def forward(self, gramian: Tensor) -> Tensor:
        """Compute the weights, `[K]`."""


class Sum(Weighting):
    """Plain distillation, the sum of all gradients: w = 1."""

    def forward(self, gramian: Tensor) -> Tensor:
        """Return ones, `[K]`."""
        return gramian.new_ones(self.num_tasks)
