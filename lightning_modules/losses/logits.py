"""Losses of logits: classification, and distillation of softened class probabilities."""

import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor


def classification_loss(logit: Tensor, label: Tensor) -> Tensor:
    """Binary cross-entropy of logits `[B]` against labels `[B]`, 1 = fake."""
    return F.binary_cross_entropy_with_logits(logit, label.to(logit))


def two_classes(logit: Tensor) -> Tensor:
    """Convert logits of being fake, `[B]`, to logits of real and fake, `[B, 2]`."""
    return torch.stack([torch.zeros_like(logit), logit], dim=1)


def hinton(student: Tensor, teacher: Tensor, label: Tensor, temperature: float) -> Tensor:
    """KL divergence from the teacher's softened classes, times T² (Hinton et al., 2015).

    Takes class logits, `[B, K]`. The labels `[B]`, which other logit losses may need, are unused.
    """
    divergence = F.kl_div(
        (student / temperature).log_softmax(1),
        (teacher / temperature).log_softmax(1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * temperature**2
