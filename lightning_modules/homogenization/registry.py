from collections.abc import Callable
from functools import partial

from lightning_modules.homogenization.base import Sum, Weighting
from lightning_modules.homogenization.rotograd import RotoGrad
from lightning_modules.homogenization.torchjd_weightings import STATELESS, GradVac, Stateless
from lightning_modules.registry import resolve

WEIGHTINGS: dict[str, Callable[[int, int], Weighting]] = {
    "sum": Sum,
    "rotograd": RotoGrad,
    "gradvac": GradVac,
    **{name: partial(Stateless, name) for name in STATELESS},
}


def create_weighting(name: str, num_tasks: int, burn_in: int) -> Weighting:
    """Build a weighting by its short name or by the class path of a Weighting.

    Raises:
        InputError: It does not exist.
    """
    return resolve("weighting", name, WEIGHTINGS, Weighting)(num_tasks, burn_in)
