"""The losses of a distillation by their names in a configuration."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lightning_modules.losses.dist import dist
from lightning_modules.losses.distances import (
    attention_transfer,
    cosine,
    log_sum,
    normalized_mse,
    smooth_l1,
)
from lightning_modules.losses.logits import hinton
from lightning_modules.losses.pkt import pkt
from lightning_modules.losses.rkd import rkd
from lightning_modules.losses.sp import sp

Distance = Callable[[Tensor, Tensor], Tensor]
LogitLoss = Callable[[Tensor, Tensor, Tensor, float], Tensor]

RELATIONS: dict[str, Distance] = {
    "attention_transfer": attention_transfer,
    "pkt": pkt,
    "rkd": rkd,
    "sp": sp,
}
"""Distances of features of any two widths, which need no projector."""

DISTANCES: dict[str, Distance] = {
    "normalized_mse": normalized_mse,
    "cosine": cosine,
    "smooth_l1": smooth_l1,
    "log_sum": log_sum,
    **RELATIONS,
}

LOGIT_LOSSES: dict[str, LogitLoss] = {"hinton": hinton, "dist": dist}


@dataclass
class LogitSpec:
    """Distillation of the teacher's logit.

    Attributes:
        loss: hinton, dist, or the class path of a function.
        weight: Weight of the loss in addition to the cross-entropy.
        temperature: T, by which both logits are divided.
    """

    loss: str = "hinton"
    weight: float = 1.0
    temperature: float = 4.0
