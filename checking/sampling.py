from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from errors import require_number


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are scored.

    Attributes:
        every: Seconds between them.
        max_frames: The most per video; a longer video has larger gaps.

    Raises:
        InputError: A number is out of range.
    """

    every: float = 0.5
    max_frames: int = 60

    def __post_init__(self) -> None:
        require_number("every", self.every, above=0)
        require_number("max_frames", self.max_frames, least=1)

    def choose(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the numbers of the frames that are shown in the middles of equal spans of time.

        Args:
            seconds: `[length]`, the presentation times in ascending order.
        """
        start, duration = float(seconds[0]), float(seconds[-1] - seconds[0])
        count = int(np.clip(np.ceil(duration / self.every), 1, self.max_frames))
        middles = start + (np.arange(count) + 0.5) * duration / count
        # The last frame that is presented by then.
        return np.unique(np.searchsorted(seconds, middles, side="right") - 1)
