"""Who is in a data set, and how each person's clip comes about."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.rendering.identity import sample_identity
from datamodules.mini_ffpp.rendering.render import render_clip

# One number a data set, so that no two of them ever share a person, whatever the seed.
FFPP, CELEB_DF = 1, 2
_TONE, _PERSON, _CLIP, _GRAIN, _EFFORT = range(5)


@dataclass(frozen=True)
class Population:
    """A seeded set of people; the same numbers give the same person, whoever asks."""

    seed: int
    data_set: int
    frames: int
    size: int

    def film(self, person: int, take: int, group: int) -> Clip:
        """Render a clip of a person.

        Args:
            person: Number of the person.
            take: Number of the clip; scene and motion change with it.
            group: People of one group (a pair) have neighbouring skin tones.
        """
        tone = self._rng(_TONE, group).random()
        rng = self._rng(_PERSON, person)
        tone = float(np.clip(tone**1.3 + rng.normal(0, 0.06), 0, 1))
        return render_clip(
            sample_identity(rng, tone), self._rng(_CLIP, person, take), self.frames, self.size
        )

    def grain_rng(self, person: int, take: int = 0) -> np.random.Generator:
        """Draws the grain of one clip."""
        return self._rng(_GRAIN, person, take)

    def effort_rng(self, *video: int) -> np.random.Generator:
        """Draws how one forged video is made."""
        return self._rng(_EFFORT, *video)

    def _rng(self, purpose: int, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.data_set, purpose, *numbers])


def load_clip(path: Path) -> Clip:
    """Read a clip that `real_faces` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return Clip(
            stored["frames"].astype(np.float32), stored["landmarks"], float(stored["grain"])
        )
