import torch
from torch import Tensor

from lightning_modules.losses.global_batch import of_global_batch


def dist(student: Tensor, teacher: Tensor, label: Tensor, temperature: float) -> Tensor:
    """The intra-class part of DIST, times T² (Huang et al., NeurIPS 2022, section 4).

    One minus Pearson's correlation, over the batch, of a class's softened probabilities; mean over
    the classes. Takes class logits, `[B, K]`.

    DIST's inter-class part correlates the classes of a sample. With two classes the correlation is
    1 or -1, and so are standardized logits (Sun et al., CVPR 2024). Neither has a gradient, so both
    are omitted.
    """
    classes = ((logits / temperature).softmax(1) for logits in (student, teacher))
    return _uncorrelated(*classes) * temperature**2


@of_global_batch(lambda classes: classes)
def _uncorrelated(student: Tensor, teacher: Tensor) -> Tensor:
    student, teacher = student - student.mean(0), teacher - teacher.mean(0)
    return 1 - torch.cosine_similarity(student, teacher, dim=0).mean()
