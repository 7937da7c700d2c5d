"""The miniature of Celeb-DF: other people, forged another way, for the cross-data-set test."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.mini_ffpp.camera import draw_grain, publish
from datamodules.mini_ffpp.forgeries import AMOUNTS, Effort, celeb_swap
from datamodules.mini_ffpp.limits import check_celebrities, check_settings
from datamodules.mini_ffpp.miniature import (
    VERSION,
    close_miniature,
    open_miniature,
    write_text,
)
from datamodules.mini_ffpp.people import CELEB_DF, Population
from datamodules.mini_ffpp.video import CRF, encode
from datamodules.process_pool import console, run_tasks, usable_cores

DATASET = "mini-Celeb-DF-v2"
TEST_LIST = "List_of_testing_videos.txt"
TAKES = 2
SWAPS = 4  # forgeries of each celebrity, each with another's face
TEST_SHARE = 0.75  # of the celebrities; people outside the list are never in it
GROUP = 5  # celebrities with neighbouring skin tones; faces are swapped within a group


@dataclass(frozen=True)
class Celebrity:
    """One person of Celeb-DF and what is made of them.

    A person of YouTube-real has no `sources`: their video is real and nothing is forged from it.
    """

    root: Path
    population: Population
    person: int
    sources: tuple[int, ...]
    strength: float
    takes: int

    def real(self, take: int) -> str:
        """Path of a real video below the root."""
        if self.sources:
            return f"Celeb-real/id{self.person}_{take:04d}.mp4"
        return f"YouTube-real/{self.person:05d}.mp4"

    def forged(self, source: int) -> str:
        """Path of a forgery below the root."""
        return f"Celeb-synthesis/id{self.person}_id{source}_{self._take(source):04d}.mp4"

    def videos(self) -> list[str]:
        """Every video of this person."""
        real = [self.real(take) for take in range(self.takes)]
        return real + [self.forged(source) for source in self.sources]

    def make(self) -> None:
        """Write every video of this person."""
        clips = [self._film(self.person, take) for take in range(self.takes)]
        grains = [
            draw_grain(clip, self.population.grain_rng(self.person, take))
            for take, clip in enumerate(clips)
        ]
        for take, clip in enumerate(clips):
            self._write(self.real(take), publish(clip.frames, grains[take]))
        for source in self.sources:
            take = self._take(source)
            effort = Effort.draw(self.strength, self.population.effort_rng(self.person, source))
            forgery = celeb_swap(clips[take], self._film(source, 0), effort)
            self._write(self.forged(source), publish(forgery.frames, grains[take]))

    def _take(self, source: int) -> int:
        return source % self.takes

    def _film(self, person: int, take: int) -> Any:
        return self.population.film(person, take, group=person // GROUP)

    def _write(self, name: str, frames: Any) -> None:
        encode(frames, self.root / name, CRF["c23"])


def generate_mini_celeb_df(
    out: Path,
    *,
    celebrities: int = 20,
    frames: int = 8,
    size: int = 256,
    strength: float = 1.0,
    seed: int = 0,
    workers: int | None = None,
) -> dict[str, Any]:
    """Write the miniature of Celeb-DF, or find it complete and leave it.

    Each celebrity has two real videos and four forgeries; half as many people have one video in
    YouTube-real. Three quarters of either are in the list of testing videos. Faces are always
    rendered, also where the miniature of FaceForensics++ is made from real videos.

    Args:
        out: The data set's folder; new, empty, or of the same data set.
        celebrities: Number of people with forgeries, a multiple of 5.
        frames: Frames a video.
        size: Width and height of a frame in pixels.
        strength: Factor of all traces that the forgeries leave.
        seed: Seed of everything drawn; no person is ever one of FaceForensics++'s miniature.
        workers: Processes; None takes one for each core.

    Returns:
        The content of `MINIATURE.json`.

    Raises:
        InputError: A value is out of range, or `out` holds something else.
    """
    check_celebrities(celebrities)
    check_settings(frames=frames, size=size, strength=strength, seed=seed, workers=workers)
    settings = {
        "dataset": DATASET,
        "kind": "rendered",
        "seed": seed,
        "parameters": {
            "celebrities": celebrities,
            "frames": frames,
            "size": size,
            "strength": float(strength),
        },
        "amounts": asdict(AMOUNTS.celeb_swap),
        "version": VERSION,
    }
    complete = open_miniature(out, settings)
    if complete is not None:
        console.print(f"{out}: complete with the same settings, reused")
        return complete
    population = Population(seed, CELEB_DF, frames, size)
    people = _draw_people(out, population, celebrities, strength)
    waiting = [one for one in people if not all((out / name).exists() for name in one.videos())]
    run_tasks(
        Celebrity.make, waiting, workers or usable_cores(), f"{DATASET}: people", portable=True
    )
    write_text(out / TEST_LIST, _test_list(people, celebrities))
    close_miniature(out, settings)
    return settings


def _draw_people(
    out: Path, population: Population, celebrities: int, strength: float
) -> list[Celebrity]:
    people = []
    for person in range(celebrities):
        first = person - person % GROUP
        sources = tuple(other for other in range(first, first + GROUP) if other != person)
        people.append(Celebrity(out, population, person, sources[:SWAPS], strength, TAKES))
    strangers = range(celebrities, celebrities + celebrities // 2)
    return people + [Celebrity(out, population, person, (), strength, 1) for person in strangers]


def _test_list(people: list[Celebrity], celebrities: int) -> str:
    """Lines as `1 YouTube-real/00170.mp4`, 1 for real, in no telling order."""
    # Whole groups, so that no source of a listed forgery is outside the list.
    tested = int(celebrities // GROUP * TEST_SHARE) * GROUP
    strangers = celebrities + int(celebrities // 2 * TEST_SHARE)
    listed = people[:tested] + people[celebrities:strangers]
    names = [name for one in listed for name in one.videos()]
    order = np.random.default_rng(len(names)).permutation(len(names))
    lines = [f"{0 if 'synthesis' in names[place] else 1} {names[place]}" for place in order]
    return "\n".join(lines) + "\n"
