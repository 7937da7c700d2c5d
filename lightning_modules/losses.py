from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor

from errors import InputError

Distance = Callable[[Tensor, Tensor], Tensor]
LogitLoss = Callable[[Tensor, Tensor, Tensor, float], Tensor]


def classification_loss(logit: Tensor, label: Tensor) -> Tensor:
    """Binary cross-entropy of logits `[B]` against labels `[B]`, 1 = fake."""
    return F.binary_cross_entropy_with_logits(logit, label.to(logit))


def normalized_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of features with unit norm over channels, mean over positions: 2 - 2 cos.

    As all distances, of the projected feature `[B, C]` or `[B, C, h, w]` to a target of its shape.
    """
    difference = F.normalize(student, dim=1) - F.normalize(teacher, dim=1)
    return difference.square().sum(1).mean()


def cosine(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cos over channels, mean over positions: half of `normalized_mse`."""
    return 1 - torch.cosine_similarity(student, teacher, dim=1).mean()


def smooth_l1(student: Tensor, teacher: Tensor) -> Tensor:
    """Huber's loss of the unnormalized features, mean over all elements."""
    return F.smooth_l1_loss(student, teacher)


def log_sum(student: Tensor, teacher: Tensor) -> Tensor:
    """Log of the mean of |s - t|⁴, t standardized per channel (Miles & Mikolajczyk, AAAI 2024).

    Designed for the batch-norm projector, which standardizes the student's side. The paper's log of
    a sum differs by a constant. Each rank takes the logarithm of its own mean.
    """
    over = [dim for dim in range(teacher.ndim) if dim != 1]
    deviation, mean = torch.std_mean(teacher, dim=over, keepdim=True, correction=0)
    target = (teacher - mean) / (deviation + 1e-5)
    return (student - target).pow(4).mean().log()


def attention_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of the maps' energies at unit norm (Zagoruyko & Komodakis, ICLR 2017).

    The energy is the sum of squares over channels, `[B, h w]`, so the widths may differ.

    Raises:
        InputError: The features are pooled and have no map.
    """
    if student.ndim != 4:
        msg = (
            "distance 'attention_transfer' compares maps, and these features are pooled: "
            "choose another distance, or `features: map`"
        )
        raise InputError(msg)
    energies = (F.normalize(x.square().sum(1).flatten(1), dim=1) for x in (student, teacher))
    return (next(energies) - next(energies)).square().sum(1).mean()


DISTANCES: dict[str, Distance] = {
    "normalized_mse": normalized_mse,
    "cosine": cosine,
    "smooth_l1": smooth_l1,
    "log_sum": log_sum,
    "attention_transfer": attention_transfer,
}


def pool(feature: Tensor) -> Tensor:
    """Average a map `[B, C, h, w]` over its positions; return a vector `[B, C]` unchanged."""
    return feature.mean(dim=(2, 3)) if feature.ndim == 4 else feature


def match_size(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Average-pool the larger of two features to the size of the smaller: a map, or a vector."""
    if student.ndim == teacher.ndim == 2:
        return student, teacher
    if student.ndim == 2 or teacher.ndim == 2:
        return pool(student), pool(teacher)
    size = min(student.shape[-1], teacher.shape[-1])
    return F.adaptive_avg_pool2d(student, size), F.adaptive_avg_pool2d(teacher, size)


def two_classes(logit: Tensor) -> Tensor:
    """Convert logits of being fake, `[B]`, to logits of real and fake, `[B, 2]`."""
    return torch.stack([torch.zeros_like(logit), logit], dim=1)


def hinton(student: Tensor, teacher: Tensor, label: Tensor, temperature: float) -> Tensor:
    """KL divergence from the teacher's softened classes, times T² (Hinton et al., 2015).

    Of logits of the classes, `[B, K]`; the labels `[B]` are for other losses of logits.
    """
    divergence = F.kl_div(
        (student / temperature).log_softmax(1),
        (teacher / temperature).log_softmax(1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * temperature**2


LOGIT_LOSSES: dict[str, LogitLoss] = {"hinton": hinton}


@dataclass
class LogitSpec:
    """Distillation of the teacher's fused logit.

    Attributes:
        loss: hinton, or the class path of a function.
        weight: Weight of the loss in addition to the cross-entropy.
        temperature: T, by which both logits are divided.
    """

    loss: str = "hinton"
    weight: float = 1.0
    temperature: float = 4.0
