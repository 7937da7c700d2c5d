import shutil
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from msgspec import structs

from datamodules.layouts.record import SPLITS
from datamodules.mini_ffpp.control import confound_control
from datamodules.mini_ffpp.forgeries import AMOUNTS
from datamodules.mini_ffpp.listing import write_list
from datamodules.mini_ffpp.miniature import (
    VERSION,
    Miniature,
    MiniatureRecord,
    Settings,
    Video,
    render,
)
from datamodules.mini_ffpp.pairs import DATASET, Pair
from datamodules.mini_ffpp.people import FFPP, MOST_PEOPLE, require_multiple
from datamodules.mini_ffpp.real_faces import PREPARED, Cast, cast_real_faces, face_sizes
from datamodules.mini_ffpp.video import MASKS
from errors import InputError
from records.files import write_record


@dataclass(frozen=True)
class MiniFFPP(Miniature):
    """The miniature of FaceForensics++, with its tree and its split files.

    Attributes:
        people: Number of people in train, val and test, each even: they are paired. With `faces`,
            the splits follow from the number of usable people instead.
        faces: Folder of videos or photographs of real faces, a file or a folder per person; None
            renders the faces.
        videos: The compressions, and `masks` for those of the forged faces.
    """

    people: tuple[int, int, int] = (240, 40, 60)
    faces: Path | None = None
    videos: tuple[Video, ...] = ("c23", "c40", "masks")

    def settings(self) -> Settings:
        """Return what determines the content.

        Raises:
            InputError: A number of people is out of range, or `faces` has too few or many people.
        """
        parameters = self.population.parameters()
        if self.faces is None:
            for split, count in zip(SPLITS, self.people, strict=True):
                require_multiple(f"--{split}", count, of=2, least=2)
                parameters[split] = count
            if sum(self.people) > MOST_PEOPLE:
                msg = (
                    f"--train, --val and --test are {sum(self.people)} people in all: expected at "
                    f"most {MOST_PEOPLE}"
                )
                raise InputError(msg)
        else:
            parameters["faces"] = face_sizes(self.faces)
        return Settings(
            dataset=DATASET,
            kind="rendered" if self.faces is None else "faces",
            seed=self.population.seed,
            parameters=parameters,
            amounts=asdict(AMOUNTS),
            version=VERSION,
            videos=list(self.videos),
        )

    def write(self, workers: int, videos: list[Video]) -> MiniatureRecord:
        """Write the split files, all videos and their list, and compute the confound control."""
        people, cast = self.people, None
        if self.faces is not None:
            cast = cast_real_faces(self.faces, self.root, self.population, workers)
            people = split_people(len(cast.clips))
        pairs = self._pairs(people, cast, videos)
        render(pairs, workers, f"{DATASET}: pairs of people")
        write_list(self.root, chain.from_iterable(pair.records() for pair in pairs))
        record = MiniatureRecord(
            **structs.asdict(structs.replace(self.settings(), videos=videos)),
            left_out=cast.left_out if cast else [],
            confound_control={
                level: confound_control(self.root, level, workers)
                for level in videos
                if level != MASKS
            },
        )
        shutil.rmtree(self.root / PREPARED, ignore_errors=True)
        return record

    def _pairs(
        self, people: tuple[int, int, int], cast: Cast | None, videos: list[Video]
    ) -> list[Pair]:
        """Draw everybody's id, write the split files, and return the pairs.

        The ids are shuffled over the splits, so that their order carries no information.
        """
        ids = np.random.default_rng([self.population.seed, FFPP]).permutation(sum(people))
        pairs: list[Pair] = []
        for split, count in zip(SPLITS, people, strict=True):
            first = 2 * len(pairs)
            for one in range(first, first + count, 2):
                other = one + 1
                names = f"{ids[one]:03d}", f"{ids[other]:03d}"
                clips = None if cast is None else (cast.clips[one], cast.clips[other])
                pair = Pair(self.root, self.population, (one, other), names, split, videos, clips)
                pairs.append(pair)
            listed = [pair.names for pair in pairs if pair.split == split]
            write_record(self.root / f"{split}.json", listed)
        return pairs


def split_people(count: int) -> tuple[int, int, int]:
    """Return the even numbers of real people in train, val and test.

    A tenth validates and three tenths test, at least two each: intervals depend on the test people.
    """
    val, test = max(2, 2 * (count // 20)), max(2, 2 * (3 * count // 20))
    return count - val - test, val, test
