from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import structs

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries import AMOUNTS, celeb_swap
from datamodules.mini_ffpp.miniature import (
    VERSION,
    Miniature,
    MiniatureRecord,
    Settings,
    as_json,
    render,
)
from datamodules.mini_ffpp.people import Population, require_multiple
from datamodules.mini_ffpp.video import CRF, Array, add_grain, draw_grain, encode
from records.files import write_file

DATASET = "mini-Celeb-DF-v2"
TEST_LIST = "List_of_testing_videos.txt"
TAKES = 2
SWAPS = 4  # forgeries per celebrity, each with another person's face
TEST_SHARE = 0.75  # of the celebrities; nobody outside the list occurs in it
GROUP = 5  # celebrities with similar skin tones; faces are swapped within a group


@dataclass(frozen=True)
class Celebrity:
    """One person of Celeb-DF, and the forgeries of their videos.

    Attributes:
        root: Folder of the data set.
        population: The people of the data set.
        person: Number of the person.
        sources: Numbers of those whose faces are put into this person's videos; a person of
            YouTube-real has none.
    """

    root: Path
    population: Population
    person: int
    sources: tuple[int, ...]

    def names(self) -> list[str]:
        """Return the paths of all videos, relative to the root."""
        return [
            *(self._real(take) for take in range(self._takes)),
            *(self._forged(source) for source in self.sources),
        ]

    def files(self) -> list[Path]:
        """Return the paths of all videos."""
        return [self.root / name for name in self.names()]

    def render(self) -> None:
        """Write all videos."""
        clips = [self._film(self.person, take) for take in range(self._takes)]
        grains = [
            draw_grain(clip, self.population.grain_rng(self.person, take))
            for take, clip in enumerate(clips)
        ]
        for take, clip in enumerate(clips):
            self._write(self._real(take), clip.frames, grains[take])
        for source in self.sources:
            take = source % TAKES
            effort = self.population.effort(self.person, source)
            forgery = celeb_swap(clips[take], self._film(source, 0), effort)
            self._write(self._forged(source), forgery.frames, grains[take])

    @property
    def _takes(self) -> int:
        return TAKES if self.sources else 1

    def _real(self, take: int) -> str:
        if self.sources:
            return f"Celeb-real/id{self.person}_{take:04d}.mp4"
        return f"YouTube-real/{self.person:05d}.mp4"

    def _forged(self, source: int) -> str:
        return f"Celeb-synthesis/id{self.person}_id{source}_{source % TAKES:04d}.mp4"

    def _film(self, person: int, take: int) -> Clip:
        return self.population.film(person, take, group=person // GROUP)

    def _write(self, name: str, frames: Array, grain: Array) -> None:
        encode(add_grain(frames, grain), self.root / name, CRF["c23"])


@dataclass(frozen=True)
class MiniCelebDF(Miniature):
    """The miniature of Celeb-DF: other people, forged by another method.

    Each celebrity has two real videos and four forgeries; half as many people have one video in
    YouTube-real. Three quarters of both are in the list of testing videos. Faces are always
    rendered, even if the miniature of FaceForensics++ is made from real videos.

    Attributes:
        celebrities: Number of people with forgeries, a multiple of 5.
    """

    celebrities: int = 20

    def settings(self) -> Settings:
        """Return what determines the content.

        Raises:
            InputError: The number of celebrities is out of range.
        """
        require_multiple("--celebrities", self.celebrities, of=GROUP, least=2 * GROUP)
        return Settings(
            dataset=DATASET,
            kind="rendered",
            seed=self.population.seed,
            parameters={"celebrities": self.celebrities} | self.population.parameters(),
            amounts=as_json(AMOUNTS.celeb_swap),
            version=VERSION,
        )

    def write(self, workers: int) -> MiniatureRecord:
        """Write all videos and the list of testing videos."""
        people = [
            *(self._person(number, SWAPS) for number in range(self.celebrities)),
            *(self._person(self.celebrities + n, 0) for n in range(self.celebrities // 2)),
        ]
        render(people, workers, f"{DATASET}: people")
        write_file(self.root / TEST_LIST, self._test_list(people))
        return MiniatureRecord(**structs.asdict(self.settings()))

    def _person(self, number: int, swaps: int) -> Celebrity:
        first = number - number % GROUP
        others = [other for other in range(first, first + GROUP) if other != number]
        return Celebrity(self.root, self.population, number, tuple(others[:swaps]))

    def _test_list(self, people: Sequence[Celebrity]) -> str:
        """Return lines like `1 YouTube-real/00170.mp4`, where 1 means real, in shuffled order."""
        # Whole groups, so that the source of every listed forgery is in the list.
        tested = int(self.celebrities // GROUP * TEST_SHARE) * GROUP
        strangers = int(self.celebrities // 2 * TEST_SHARE)
        listed = [*people[:tested], *people[self.celebrities :][:strangers]]
        names = [name for person in listed for name in person.names()]
        order = np.random.default_rng(len(names)).permutation(len(names))
        lines = [f"{0 if 'synthesis' in names[i] else 1} {names[i]}" for i in order]
        return "\n".join(lines) + "\n"
