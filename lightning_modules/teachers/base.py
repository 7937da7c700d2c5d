from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

Computed = tuple[dict[str, Tensor], Tensor | None]


class LoadedTeacher(nn.Module):
    """A teacher that computes targets.

    Attributes:
        widths: Number of channels of each branch's map.
        has_logit: Whether it has logits of being fake.
        fingerprint: What determines its targets, as JSON types.
    """

    widths: dict[str, int]
    has_logit: bool
    fingerprint: Any

    @abstractmethod
    def compute(self, images: Tensor, branches: Sequence[str], logit: bool) -> Computed:
        """Compute the maps `[B, C, h, w]` of branches, and the logits `[B]` of being fake.

        Args:
            images: Images in [0, 1], `[B, 3, S, S]`.
            branches: Names of `widths`.
            logit: Whether the logits are wanted; otherwise they are None.
        """

    def select(self, branches: Sequence[str]) -> None:
        """Keep what the targets of these branches need."""

    def compile_for(self, backend: str) -> None:
        """Compile what `compute` calls."""
