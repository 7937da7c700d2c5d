from dataclasses import dataclass

import numpy as np

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries.amounts import Effort
from datamodules.mini_ffpp.rendering.identity import sample_identity, sample_looks
from datamodules.mini_ffpp.rendering.render import render_clip, sample_take
from errors import InputError, require_number

Parameters = dict[str, int | float | dict[str, int]]
# One number per data set, so that no two of them share a person, whatever the seed.
FFPP, CELEB_DF = 1, 2
_TONE, _PERSON, _CLIP, _GRAIN, _EFFORT, _CAMERA = range(6)
_TURNED = 0.11  # radians; half of the clips
MOST_PEOPLE = 1000  # ids have three digits, as in FaceForensics++


@dataclass(frozen=True)
class Population:
    """The people of a data set; the same numbers give the same person in every process.

    Attributes:
        seed: Seed of everything drawn.
        data_set: `FFPP` or `CELEB_DF`.
        frames: Frames per video.
        size: Width and height of a frame in pixels.
        strength: Factor of all traces that the forgeries leave.
    """

    seed: int
    data_set: int
    frames: int
    size: int
    strength: float = 1.0

    def check(self) -> None:
        """Check the settings of the videos.

        Raises:
            InputError: A value is out of range.
        """
        require_number("--frames", self.frames, least=2, most=2000)
        require_multiple("--size", self.size, of=2, least=96, most=1024)
        require_number("--strength", self.strength, least=0, most=10)
        require_number("--seed", self.seed, least=0, most=2**32 - 1)

    def parameters(self) -> Parameters:
        """Return the settings of the videos, named like their options."""
        return {"frames": self.frames, "size": self.size, "strength": float(self.strength)}

    def film(self, person: int, take: int, group: int) -> Clip:
        """Render a clip of a person.

        Args:
            person: Number of the person.
            take: Number of the clip; scene and motion change with it.
            group: Number of the group; its people have similar skin tones.
        """
        rng, tone = self._person(person, group)
        return render_clip(
            sample_identity(rng, tone), self._rng(_CLIP, person, take), self.frames, self.size
        )

    def traits(self, person: int, take: int, group: int) -> dict[str, str]:
        """Describe what a clip of `film` shows, in words, without rendering it.

        Returns:
            `skin_tone` (light, medium, dark), `pose` (frontal, or turned if the mean yaw is above
            `_TURNED`) and `hair`.
        """
        rng, tone = self._person(person, group)
        _, poses = sample_take(self._rng(_CLIP, person, take), self.frames, self.size)
        yaw = abs(float(np.mean([pose.yaw for pose in poses])))
        return {
            "skin_tone": ("light", "medium", "dark")[min(int(3 * tone), 2)],
            "pose": "turned" if yaw > _TURNED else "frontal",
            "hair": sample_looks(rng, tone)["hair_style"],
        }

    def _person(self, person: int, group: int) -> tuple[np.random.Generator, float]:
        """Return the generator of a person's looks, and the tone of the skin, 0 to 1."""
        tone = self._rng(_TONE, group).random()
        rng = self._rng(_PERSON, person)
        return rng, float(np.clip(tone**1.3 + rng.normal(0, 0.06), 0, 1))

    def grain_rng(self, person: int, take: int = 0) -> np.random.Generator:
        """Return the generator of the grain of one clip."""
        return self._rng(_GRAIN, person, take)

    def camera_rng(self, photograph: int) -> np.random.Generator:
        """Return the generator of the camera that moves over a photograph."""
        return self._rng(_CAMERA, photograph)

    def effort(self, *video: int) -> Effort:
        """Return what draws the strength of the traces of one forged video."""
        return Effort(self.strength, self._rng(_EFFORT, *video))

    def _rng(self, purpose: int, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.data_set, purpose, *numbers])


def require_multiple(
    option: str, value: int, *, of: int, least: int, most: int = MOST_PEOPLE
) -> None:
    """Check an option that must be a multiple of a number.

    Raises:
        InputError: It is not, or it is out of range.
    """
    if not least <= value <= most or value % of:
        msg = f"{option} is {value}: expected a multiple of {of} from {least} to {most}"
        raise InputError(msg)
