from lightning_modules.losses.distances import (
    attention_transfer,
    cosine,
    log_sum,
    normalized_mse,
    smooth_l1,
)
from lightning_modules.losses.features import match_size, pool
from lightning_modules.losses.logits import classification_loss, hinton, two_classes
from lightning_modules.losses.registry import (
    DISTANCES,
    LOGIT_LOSSES,
    RELATIONS,
    LogitSpec,
)

__all__ = [
    "DISTANCES",
    "LOGIT_LOSSES",
    "RELATIONS",
    "LogitSpec",
    "attention_transfer",
    "classification_loss",
    "cosine",
    "hinton",
    "log_sum",
    "match_size",
    "normalized_mse",
    "pool",
    "smooth_l1",
    "two_classes",
]
