from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries import METHODS
from datamodules.mini_ffpp.people import Population
from datamodules.mini_ffpp.real_faces import load_clip
from datamodules.mini_ffpp.video import CRF, add_grain, draw_grain, encode

MASKS = "masks"
MASK_CRF = 18


@dataclass(frozen=True)
class Pair:
    """Two people whose faces are exchanged: two originals, each method in both directions.

    Attributes:
        root: Folder of the data set.
        population: The people of the data set.
        people: The numbers of the two.
        names: Their ids in the data set, e.g. `("071", "054")`.
        clips: Prepared clips of real people, or None to render them.
    """

    root: Path
    population: Population
    people: tuple[int, int]
    names: tuple[str, str]
    clips: tuple[Path, Path] | None = None

    def files(self) -> list[Path]:
        """Return the paths of all videos."""
        paths: list[Path] = []
        for target, source in ((0, 1), (1, 0)):
            paths += self._originals(target).values()
            for method in METHODS:
                paths += self._forgeries(method, target, source).values()
        return paths

    def render(self) -> None:
        """Write all videos."""
        clips = [self._clip(0), self._clip(1)]
        for target, source in ((0, 1), (1, 0)):
            self._render_target(target, source, clips[target], clips[source])

    def _render_target(self, target: int, source: int, clip: Clip, source_clip: Clip) -> None:
        people = self.people[target], self.people[source]
        grain = draw_grain(clip, self.population.grain_rng(people[0]))
        original = add_grain(clip.frames, grain)
        for level, path in self._originals(target).items():
            encode(original, path, CRF[level])
        for number, (method, forge) in enumerate(METHODS.items()):
            forgery = forge(clip, source_clip, self.population.effort(*people, number))
            paths = self._forgeries(method, target, source)
            frames = add_grain(forgery.frames, grain)
            for level, crf in CRF.items():
                encode(frames, paths[level], crf)
            shades = np.clip(forgery.masks * 255 + 0.5, 0, 255).astype(np.uint8)
            encode(np.repeat(shades[..., None], 3, axis=3), paths[MASKS], MASK_CRF)

    def _clip(self, place: int) -> Clip:
        if self.clips is not None:
            return load_clip(self.clips[place])
        return self.population.film(self.people[place], take=0, group=min(self.people))

    def _originals(self, target: int) -> dict[str, Path]:
        """Return the paths of an original by compression."""
        folder = self.root / "original_sequences" / "youtube"
        return {level: folder / level / "videos" / f"{self.names[target]}.mp4" for level in CRF}

    def _forgeries(self, method: str, target: int, source: int) -> dict[str, Path]:
        """Return the paths of a forgery by compression, and of its masks."""
        folder = self.root / "manipulated_sequences" / method
        name = f"{self.names[target]}_{self.names[source]}.mp4"
        return {level: folder / level / "videos" / name for level in (*CRF, MASKS)}
