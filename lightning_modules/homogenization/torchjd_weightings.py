from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchjd import aggregation

from errors import InputError
from lightning_modules.homogenization.base import Weighting

# The radius in the experiments of the CAGrad paper.
CAGRAD_RADIUS = 0.4

STATELESS: dict[str, Callable[[], nn.Module]] = {
    "aligned-mtl": aggregation.AlignedMTLWeighting,
    "cagrad": lambda: aggregation.CAGradWeighting(c=CAGRAD_RADIUS),
    "dualproj": aggregation.DualProjWeighting,
    "imtl-g": aggregation.IMTLGWeighting,
    "mgda": aggregation.MGDAWeighting,
    "pcgrad": aggregation.PCGradWeighting,
    "random": aggregation.RandomWeighting,
    "upgrad": aggregation.UPGradWeighting,
}
"""TorchJD's weightings that need a Gramian only and keep no state.

FairGrad is missing because its weights depend on the gradients' scale, so a loss scaler would
change the step; PCD and Krum because they need a primary task and adversaries.
"""

OF_SUMS = ("pcgrad",)


class TorchJD(Weighting):
    """Weightings of TorchJD (https://torchjd.org).

    They receive the Gramian on the CPU, in float64, without the tasks that have no gradient: for a
    minimum-norm weighting such a task alone is a solution. Random numbers are seeded by the number
    of calls, so all ranks draw the same ones, and so does a resumed run.
    """

    def __init__(self, num_tasks: int, burn_in: int) -> None:
        super().__init__(num_tasks, burn_in)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.calls: Tensor

    def forward(self, gramian: Tensor) -> Tensor:
        """Compute TorchJD's weights, `[K]`, and count the call."""
        accurate = gramian.double().cpu()
        alive = accurate.diagonal() > 0
        weights = torch.zeros_like(accurate[0])
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(self.calls))
            if alive.any():
                weights[alive] = self.weigh(accurate[alive][:, alive], alive)
        self.calls = self.calls + 1
        return weights.to(gramian)

    @abstractmethod
    def weigh(self, gramian: Tensor, alive: Tensor) -> Tensor:
        """Compute the weights of the tasks with a gradient from their Gramian."""


class Stateless(TorchJD):
    """A weighting of STATELESS, scaled to a sum of gradients.

    PCGrad changes the sum of the gradients. All others change their mean: equal gradients, or ones
    that do not conflict and have the same norm, get the weight 1/K. Their weights are multiplied by
    K, so that a comparison with the sum compares directions and not strengths.

    Raises:
        InputError: A package that this weighting needs is not installed.
    """

    def __init__(self, name: str, num_tasks: int, burn_in: int) -> None:
        super().__init__(num_tasks, burn_in)
        self.name = name
        try:
            self.weighting = STATELESS[name]()
        except ImportError as error:
            msg = f"weighting {name!r}: {' '.join(str(error).split())}"
            raise InputError(msg) from error

    def weigh(self, gramian: Tensor, alive: Tensor) -> Tensor:
        """Compute the weights of the tasks with a gradient from their Gramian."""
        weights: Tensor = self.weighting(gramian)
        return weights if self.name in OF_SUMS else len(gramian) * weights


class GradVac(TorchJD):
    """Gradient vaccine (Wang et al., ICLR 2021), with its target similarities in a buffer."""

    def __init__(self, num_tasks: int, burn_in: int) -> None:
        super().__init__(num_tasks, burn_in)
        self.register_buffer("similarity", torch.zeros(num_tasks, num_tasks))
        self.similarity: Tensor

    def weigh(self, gramian: Tensor, alive: Tensor) -> Tensor:
        """Compute the weights of the tasks with a gradient and update their targets."""
        weighting: Any = aggregation.GradVacWeighting()  # to the type checker its state is None
        # TorchJD creates this state at the first call, too late to load a checkpoint into it.
        weighting._ensure_state(len(gramian), gramian.dtype)
        pairs = alive[:, None] & alive
        weighting._phi_t = self.similarity[pairs].to(gramian).view_as(gramian)
        weights: Tensor = weighting(gramian)
        similarity = self.similarity.clone()
        similarity[pairs] = weighting._phi_t.to(similarity).flatten()
        self.similarity = similarity
        return weights
