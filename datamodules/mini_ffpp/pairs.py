"""The work of one pair of identities: two originals, four methods in both directions."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.mini_ffpp.camera import draw_grain, publish
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries import METHODS, Effort
from datamodules.mini_ffpp.people import Population, load_clip
from datamodules.mini_ffpp.video import CRF, encode

MASK_CRF = 18


@dataclass(frozen=True)
class Pair:
    """Two people whose faces are exchanged.

    Attributes:
        root: The data set's folder.
        population: Where the people come from.
        people: Their numbers.
        names: Their ids in the data set, `("071", "054")`.
        strength: Factor of all traces.
        clips: Prepared clips of real people; None where they are rendered.
    """

    root: Path
    population: Population
    people: tuple[int, int]
    names: tuple[str, str]
    strength: float
    clips: tuple[Path, Path] | None = None

    def originals(self, name: str) -> dict[str, Path]:
        """Where the original of an id goes, by compression."""
        folder = self.root / "original_sequences" / "youtube"
        return {level: folder / level / "videos" / f"{name}.mp4" for level in CRF}

    def forgeries(self, method: str, target: str, source: str) -> dict[str, Path]:
        """Where a forgery goes, by compression, and its masks under `masks`."""
        folder = self.root / "manipulated_sequences" / method
        return {
            level: folder / level / "videos" / f"{target}_{source}.mp4" for level in (*CRF, "masks")
        }

    def files(self) -> list[Path]:
        """Every file of the pair."""
        one, other = self.names
        paths = [*self.originals(one).values(), *self.originals(other).values()]
        for method in METHODS:
            paths += self.forgeries(method, one, other).values()
            paths += self.forgeries(method, other, one).values()
        return paths


def make_pair(pair: Pair) -> None:
    """Write every video of a pair."""
    clips = [_clip(pair, place) for place in (0, 1)]
    for place in (0, 1):
        _make_target(pair, place, clips[place], clips[1 - place])


def _clip(pair: Pair, place: int) -> Clip:
    if pair.clips is not None:
        return load_clip(pair.clips[place])
    return pair.population.film(pair.people[place], take=0, group=min(pair.people))


def _make_target(pair: Pair, place: int, target: Clip, source: Clip) -> None:
    person, other = pair.people[place], pair.people[1 - place]
    name, source_name = pair.names[place], pair.names[1 - place]
    grain = draw_grain(target, pair.population.grain_rng(person))
    original = publish(target.frames, grain)
    for level, path in pair.originals(name).items():
        encode(original, path, CRF[level])
    for number, (method, forge) in enumerate(METHODS.items()):
        rng = pair.population.effort_rng(person, other, number)
        forgery = forge(target, source, Effort.draw(pair.strength, rng))
        paths = pair.forgeries(method, name, source_name)
        frames = publish(forgery.frames, grain)
        for level, crf in CRF.items():
            encode(frames, paths[level], crf)
        shades = np.clip(forgery.masks * 255 + 0.5, 0, 255).astype(np.uint8)
        encode(np.repeat(shades[..., None], 3, axis=3), paths["masks"], MASK_CRF)
