from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.mini_ffpp.control import confound_control
from datamodules.mini_ffpp.forgeries import AMOUNTS
from datamodules.mini_ffpp.limits import check_identities, check_settings
from datamodules.mini_ffpp.miniature import VERSION, close_miniature, open_miniature, write_json
from datamodules.mini_ffpp.pairs import Pair, make_pair
from datamodules.mini_ffpp.people import FFPP, Population
from datamodules.mini_ffpp.real_faces import Cast, cast_real_faces, describe_folder
from datamodules.mini_ffpp.video import CRF
from datamodules.process_pool import console, run_tasks, usable_cores

DATASET = "mini-FaceForensics++"
SPLITS = ("train", "val", "test")


def generate_mini_ffpp(
    out: Path,
    *,
    train: int = 240,
    val: int = 40,
    test: int = 60,
    frames: int = 8,
    size: int = 256,
    strength: float = 1.0,
    seed: int = 0,
    faces: Path | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """Write the miniature of FaceForensics++, or find it complete and leave it.

    The tree and the split files are FaceForensics++'s; `MINIATURE.json`, written last, tells
    that it is a miniature, and how it was made. Interrupted, the next call goes on.

    Args:
        out: The data set's folder; new, empty, or of the same data set.
        train: Identities of the train split, even: half as many pairs. With `faces`, the splits
            follow from the number of usable files instead.
        val: Identities of the validation split.
        test: Identities of the test split.
        frames: Frames a video.
        size: Width and height of a frame in pixels.
        strength: Factor of all traces that the forgeries leave.
        seed: Seed of everything drawn.
        faces: Folder with real videos of faces, one identity a file; None renders the faces.
        workers: Processes; None takes one for each core.

    Returns:
        The content of `MINIATURE.json`.

    Raises:
        InputError: A value is out of range, `out` holds something else, or `faces` has too few.
    """
    parameters: dict[str, Any] = {"frames": frames, "size": size, "strength": float(strength)}
    if faces is None:
        check_identities({"train": train, "val": val, "test": test})
        parameters = {"train": train, "val": val, "test": test} | parameters
    check_settings(frames=frames, size=size, strength=strength, seed=seed, workers=workers)
    if faces is not None:
        parameters["faces"] = describe_folder(faces)
    settings = {
        "dataset": DATASET,
        "kind": "rendered" if faces is None else "faces",
        "seed": seed,
        "parameters": parameters,
        "amounts": asdict(AMOUNTS),
        "version": VERSION,
    }
    complete = open_miniature(out, settings)
    if complete is not None:
        console.print(f"{out}: complete with the same settings, reused")
        return complete
    workers = workers or usable_cores()
    counts, cast = (train, val, test), None
    if faces is not None:
        cast = cast_real_faces(faces, out, frames, size, workers)
        counts = cast.split_counts()
    population = Population(seed, FFPP, frames, size)
    pairs = _draw_pairs(out, population, counts, strength, cast)
    waiting = [pair for pair in pairs if not all(path.exists() for path in pair.files())]
    run_tasks(make_pair, waiting, workers, f"{DATASET}: pairs of identities", portable=True)
    control = {level: confound_control(out, level, workers) for level in CRF}
    left_out = {} if cast is None else {"left_out": cast.left_out}
    content = settings | left_out | {"confound_control": control}
    if cast is not None:
        cast.clear()
    close_miniature(out, content)
    return content


def _draw_pairs(
    out: Path,
    population: Population,
    counts: tuple[int, int, int],
    strength: float,
    cast: Cast | None,
) -> list[Pair]:
    """Give everybody an id, write the split files, and return the pairs.

    The ids are shuffled over the splits, so that their order tells nothing.
    """
    ids = np.random.default_rng([population.seed, FFPP]).permutation(sum(counts))
    names = [f"{number:03d}" for number in ids]
    pairs, person = [], 0
    for split, count in zip(SPLITS, counts, strict=True):
        listed = []
        for _ in range(count // 2):
            people = (person, person + 1)
            couple = (names[person], names[person + 1])
            clips = None if cast is None else (cast.clips[person], cast.clips[person + 1])
            pairs.append(Pair(out, population, people, couple, strength, clips))
            listed.append(list(couple))
            person += 2
        write_json(out / f"{split}.json", listed)
    return pairs
