from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.layouts.ffpp import ORIGINAL
from datamodules.layouts.record import VideoRecord
from datamodules.mini_ffpp.alignment import Array
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries import METHODS
from datamodules.mini_ffpp.people import Population
from datamodules.mini_ffpp.real_faces import load_clip
from datamodules.mini_ffpp.video import CRF, MASKS, add_grain, draw_grain, encode

DATASET = "mini-FaceForensics++"
MASK_CRF = 18


@dataclass(frozen=True)
class Pair:
    """Two people whose faces are exchanged: two originals, each method in both directions.

    Attributes:
        root: Folder of the data set.
        population: The people of the data set.
        people: The numbers of the two.
        names: Their ids in the data set, e.g. `("071", "054")`.
        split: Split of the two.
        videos: The compressions, and `masks` for the opacity of the forged faces.
        clips: Prepared clips of real people, or None to render them.
    """

    root: Path
    population: Population
    people: tuple[int, int]
    names: tuple[str, str]
    split: str
    videos: Sequence[str]
    clips: tuple[Path, Path] | None = None

    def files(self) -> list[Path]:
        """Return the paths of all videos."""
        return [
            path
            for target in (0, 1)
            for method in (None, *METHODS)
            for path in self._paths(target, method).values()
        ]

    def records(self) -> Iterator[VideoRecord]:
        """Yield the videos with the traits of rendered people as slices; real people have none."""
        for target, (person, name) in enumerate(zip(self.people, self.names, strict=True)):
            real = self.clips is not None
            traits = {} if real else self.population.traits(person, 0, min(self.people))
            for method in (None, *METHODS):
                for level, path in self._paths(target, method).items():
                    if level != MASKS:
                        yield VideoRecord(
                            dataset=DATASET,
                            method=method or ORIGINAL,
                            video=path.stem,
                            label=int(method is not None),
                            split=self.split,
                            compression=level,
                            path=path,
                            target=name,
                            source=self.names[1 - target] if method else None,
                            slices=traits,
                        )

    def render(self) -> None:
        """Write the videos that do not exist yet."""
        clips = self._clip(0), self._clip(1)
        for target, clip in enumerate(clips):
            people = self.people[target], self.people[1 - target]
            grain = draw_grain(clip, self.population.grain_rng(people[0]))
            self._write(clip.frames, grain, self._paths(target))
            for number, (method, forge) in enumerate(METHODS.items()):
                effort = self.population.effort(*people, number)
                forgery = forge(clip, clips[1 - target], effort)
                paths = self._paths(target, method)
                self._write(forgery.frames, grain, paths)
                if MASKS in paths:
                    shades = np.clip(forgery.masks * 255 + 0.5, 0, 255).astype(np.uint8)
                    encode(np.repeat(shades[..., None], 3, axis=3), paths[MASKS], MASK_CRF)

    def _clip(self, place: int) -> Clip:
        if self.clips is not None:
            return load_clip(self.clips[place])
        return self.population.film(self.people[place], take=0, group=min(self.people))

    def _write(self, frames: Array, grain: Array, paths: dict[str, Path]) -> None:
        pictures = add_grain(frames, grain)
        for level in CRF.keys() & paths:
            encode(pictures, paths[level], CRF[level])

    def _paths(self, target: int, method: str | None = None) -> dict[str, Path]:
        """Return the paths of an original or a forgery by compression, and of its masks."""
        if method is None:
            folder, name = self.root / "original_sequences" / "youtube", self.names[target]
        else:
            folder = self.root / "manipulated_sequences" / method
            name = f"{self.names[target]}_{self.names[1 - target]}"
        levels = [level for level in self.videos if method or level != MASKS]
        return {level: folder / level / "videos" / f"{name}.mp4" for level in levels}
