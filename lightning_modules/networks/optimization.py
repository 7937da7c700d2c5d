import math
from typing import Any

from torch import nn

from lightning_modules.networks.front_ends import FrontEnd


def decay_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Return the trained parameters as two groups of an optimizer, the second without decay.

    Decay would pull the masks of front-ends to their initial bands, and norms and biases to 0.
    """
    front_ends = [part for part in module.modules() if isinstance(part, FrontEnd)]
    masks = {id(p) for front_end in front_ends for p in front_end.parameters()}
    groups: list[dict[str, Any]] = [{"params": []}, {"params": [], "weight_decay": 0.0}]
    for parameter in module.parameters():
        if parameter.requires_grad:
            groups[parameter.ndim < 2 or id(parameter) in masks]["params"].append(parameter)
    return groups


def warmup_cosine(step: int, warmup_steps: int, steps: int) -> float:
    """Return the share of the peak learning rate: a linear warm-up, then a cosine to zero."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
