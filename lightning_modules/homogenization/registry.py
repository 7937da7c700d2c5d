from collections.abc import Callable
from functools import partial

from errors import look_up
from lightning_modules.homogenization.base import Sum, Weighting
from lightning_modules.homogenization.rotograd import RotoGrad
from lightning_modules.homogenization.torchjd_weightings import STATELESS, GradVac, Stateless

WEIGHTINGS: dict[str, Callable[[int, int], Weighting]] = {
    "sum": Sum,
    "rotograd": RotoGrad,
    "gradvac": GradVac,
    **{name: partial(Stateless, name) for name in STATELESS},
}


def create_weighting(name: str, num_tasks: int, burn_in: int) -> Weighting:
    """Make a weighting by its name.

    Raises:
        InputError: There is no such weighting.
    """
    return look_up("weighting", name, WEIGHTINGS)(num_tasks, burn_in)
