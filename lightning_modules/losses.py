from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor

from errors import InputError, look_up

Distance = Callable[[Tensor, Tensor], Tensor]


def normalized_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of features at unit norm over channels: 2 - 2 cos, mean over positions.

    Args:
        student: Projected feature, `[B, C]` or `[B, C, h, w]`.
        teacher: Target of the same shape.
    """
    difference = F.normalize(student, dim=1) - F.normalize(teacher, dim=1)
    return difference.square().sum(1).mean()


def cosine(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cos over channels, mean over positions: half of `normalized_mse`."""
    return 1 - torch.cosine_similarity(student, teacher, dim=1).mean()


def smooth_l1(student: Tensor, teacher: Tensor) -> Tensor:
    """Huber's loss of the features as they are, mean over all elements."""
    return F.smooth_l1_loss(student, teacher)


def log_sum(student: Tensor, teacher: Tensor) -> Tensor:
    """Log of the mean of |s - t|⁴, t standardized by channel (Miles & Mikolajczyk, AAAI 2024).

    Made for the batch-norm projector, which standardizes the student's side. The paper's log of a
    sum differs by a constant. Each rank takes the logarithm of its own mean.
    """
    over = [dim for dim in range(teacher.ndim) if dim != 1]
    deviation, mean = torch.std_mean(teacher, dim=over, keepdim=True, correction=0)
    target = (teacher - mean) / (deviation + 1e-5)
    return (student - target).pow(4).mean().log()


def attention_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance of the maps' energies at unit norm (Zagoruyko & Komodakis, ICLR 2017).

    The energy is the sum over channels of the squares, `[B, h w]`, so widths need not agree.

    Raises:
        InputError: The features are pooled: they have no map.
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


def choose_distance(name: str) -> Distance:
    """Give a distance by its name.

    Raises:
        InputError: There is no such distance.
    """
    return look_up("distance", name, DISTANCES)


def pool(feature: Tensor) -> Tensor:
    """Average a map `[B, C, h, w]` over its positions; a vector `[B, C]` stays."""
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
    """Write logits of being fake `[B]` as logits of real and fake, `[B, 2]`."""
    return torch.stack([torch.zeros_like(logit), logit], dim=1)


def hinton(student: Tensor, teacher: Tensor, label: Tensor, temperature: float) -> Tensor:
    """KL divergence from the teacher's softened classes, times T² (Hinton et al., 2015).

    Args:
        student: Logits of the classes, `[B, K]`.
        teacher: The teacher's, `[B, K]`.
        label: Class of each image, `[B]`.
        temperature: T, by which both are divided.
    """
    return _divergence(teacher / temperature, student / temperature) * temperature**2


def decoupled(
    student: Tensor,
    teacher: Tensor,
    label: Tensor,
    temperature: float,
    alpha: float = 1.0,
    beta: float = 8.0,
) -> Tensor:
    """Decoupled distillation: α TCKD + β NCKD, times T² (Zhao et al., CVPR 2022, equation 7).

    TCKD compares the target class with all others together, NCKD the others among themselves. Of
    two classes there is one other, NCKD vanishes, and with α = 1 this is `hinton`: it is for heads
    that name the forgery method.

    Args:
        student: Logits of the classes, `[B, K]`.
        teacher: The teacher's, `[B, K]`.
        label: Class of each image, `[B]`.
        temperature: T, by which both are divided.
        alpha: Weight of TCKD.
        beta: Weight of NCKD.
    """
    target = F.one_hot(label, student.shape[1]).bool()

    def split(logits: Tensor) -> tuple[Tensor, Tensor]:
        others = logits[~target].view(len(logits), -1)
        return torch.stack([logits[target], others.logsumexp(1)], dim=1), others

    (student_pair, student_others), (teacher_pair, teacher_others) = (
        split(logits / temperature) for logits in (student, teacher)
    )
    target_part = _divergence(teacher_pair, student_pair)
    other_part = _divergence(teacher_others, student_others)
    return (alpha * target_part + beta * other_part) * temperature**2


def _divergence(teacher: Tensor, student: Tensor) -> Tensor:
    return F.kl_div(
        student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True
    )


LOGIT_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "hinton": hinton,
    "decoupled": decoupled,
}


def choose_logit_loss(name: str) -> Callable[[Tensor, Tensor, Tensor, float], Tensor]:
    """Give a loss between the logits of student and teacher by its name.

    Raises:
        InputError: There is no such loss.
    """
    return look_up("logit loss", name, LOGIT_LOSSES)
