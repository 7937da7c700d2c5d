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
    trained = [p for p in module.parameters() if p.requires_grad]
    free = [p for p in trained if p.ndim < 2 or id(p) in masks]
    names = {id(p) for p in free}
    decayed = [p for p in trained if id(p) not in names]
    return [{"params": decayed}, {"params": free, "weight_decay": 0.0}]


def warmup_cosine(step: int, warmup_steps: int, steps: int) -> float:
    """Return the share of the peak learning rate: a linear warm-up, then a cosine to zero."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
