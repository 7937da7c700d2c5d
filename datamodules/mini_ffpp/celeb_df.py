import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import structs

from datamodules.layouts.celeb_df import scan_celeb_df
from datamodules.layouts.record import VideoRecord
from datamodules.mini_ffpp.alignment import Array
from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.forgeries import AMOUNTS, celeb_swap
from datamodules.mini_ffpp.listing import write_list
from datamodules.mini_ffpp.miniature import (
    VERSION,
    Miniature,
    MiniatureRecord,
    Settings,
    Video,
    render,
)
from datamodules.mini_ffpp.people import Population, require_multiple
from datamodules.mini_ffpp.video import CRF, add_grain, draw_grain, encode
from records.files import write_file

DATASET = "mini-Celeb-DF-v2"
COMPRESSION: Final = "c23"
TEST_LIST = "List_of_testing_videos.txt"
TEST_SHARE = 0.75  # of the celebrities; nobody outside the list occurs in it
GROUP = 5  # celebrities with similar skin tones; faces are swapped within a group


@dataclass(frozen=True)
class Group:
    """Celebrities, each filmed twice and forged with the face of every other.

    Attributes:
        root: Folder of the data set.
        population: The people of the data set.
        people: Their numbers; a single person is one of YouTube-real, filmed once.
    """

    root: Path
    population: Population
    people: tuple[int, ...]

    def names(self) -> list[str]:
        """Return the paths of all videos, relative to the root."""
        return [name for person in self.people for name in self._names(person)]

    def files(self) -> list[Path]:
        """Return the paths of all videos."""
        return [self.root / name for name in self.names()]

    def render(self) -> None:
        """Write the videos that do not exist yet."""
        faces = {person: self._film(person, 0) for person in self.people}
        for person, face in faces.items():
            names = iter(self._names(person))
            takes = [face] if len(faces) == 1 else [face, self._film(person, 1)]
            grains = []
            for take, clip in enumerate(takes):
                grains.append(draw_grain(clip, self.population.grain_rng(person, take)))
                self._write(next(names), clip.frames, grains[take])
            for source in self._sources(person):
                effort = self.population.effort(person, source)
                forgery = celeb_swap(takes[source % 2], faces[source], effort)
                self._write(next(names), forgery.frames, grains[source % 2])

    def _sources(self, person: int) -> list[int]:
        return [other for other in self.people if other != person]

    def _names(self, person: int) -> list[str]:
        """Return the names of the takes and of the forgeries of one person."""
        if len(self.people) == 1:
            return [f"YouTube-real/{person:05d}.mp4"]
        takes = [f"Celeb-real/id{person}_{take:04d}.mp4" for take in range(2)]
        sources = self._sources(person)
        return takes + [f"Celeb-synthesis/id{person}_id{n}_{n % 2:04d}.mp4" for n in sources]

    def _film(self, person: int, take: int) -> Clip:
        return self.population.film(person, take, group=person // GROUP)

    def _write(self, name: str, frames: Array, grain: Array) -> None:
        encode(add_grain(frames, grain), self.root / name, CRF[COMPRESSION])


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
            amounts=asdict(AMOUNTS.celeb_swap),
            version=VERSION,
            videos=[COMPRESSION],
        )

    def write(self, workers: int, videos: list[Video]) -> MiniatureRecord:
        """Write all videos, the list of testing videos and the list of all."""
        numbers = range(self.celebrities + self.celebrities // 2)
        people = [tuple(numbers[n : n + GROUP]) for n in range(0, self.celebrities, GROUP)]
        people += [(stranger,) for stranger in numbers[self.celebrities :]]
        groups = [Group(self.root, self.population, group) for group in people]
        render(groups, workers, f"{DATASET}: people")
        write_file(self.root / TEST_LIST, self._test_list(groups))
        write_list(self.root, self._records())
        return MiniatureRecord(**structs.asdict(self.settings()))

    def _records(self) -> Iterator[VideoRecord]:
        """Yield the videos with the traits of their people as slices."""
        for record in scan_celeb_df(self.root).records:
            person = int(re.sub(r"^id|_.*", "", record.video))
            take = 0 if record.target is None else int(record.video[-4:])
            traits = self.population.traits(person, take, person // GROUP)
            yield replace(record, dataset=DATASET, slices=traits)

    def _test_list(self, groups: Sequence[Group]) -> str:
        """Return lines like `1 YouTube-real/00170.mp4`, where 1 means real, in shuffled order."""
        # Whole groups, so that the source of every listed forgery is in the list.
        celebrities = self.celebrities // GROUP
        tested, strangers = int(celebrities * TEST_SHARE), int(self.celebrities // 2 * TEST_SHARE)
        listed = [*groups[:tested], *groups[celebrities:][:strangers]]
        names = [name for group in listed for name in group.names()]
        order = np.random.default_rng(len(names)).permutation(len(names))
        lines = [f"{0 if 'synthesis' in names[i] else 1} {names[i]}" for i in order]
        return "\n".join(lines) + "\n"
