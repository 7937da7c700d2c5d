from dataclasses import replace
from pathlib import Path
from typing import Literal

from datamodules.mini_ffpp.celeb_df import MiniCelebDF
from datamodules.mini_ffpp.ffpp import MiniFFPP
from datamodules.mini_ffpp.miniature import Video, require_separate
from datamodules.mini_ffpp.people import CELEB_DF, FFPP, Population
from datamodules.mini_ffpp.photographs import photographs_of
from datamodules.mini_ffpp.real_faces import face_sizes
from datamodules.process_pool import usable_cores
from errors import require_number

FRAMES_RENDERED = 8
FRAMES_REAL = 24
SIZE = 256
# A portrait 225 px wide fills it without being enlarged.
SIZE_PHOTOGRAPHS = 176


def mini_ffpp(
    out: Path,
    train: int = 240,
    val: int = 40,
    test: int = 60,
    frames: int | None = None,
    size: int | None = None,
    strength: float = 1.0,
    seed: int = 0,
    faces: Path | None = None,
    celeb_df: Path | None = None,
    celebrities: int = 20,
    workers: int | None = None,
    compressions: list[Literal["c23", "c40"]] = ["c23", "c40"],  # noqa: B006 -- read only
    masks: bool = True,
) -> None:
    """Render the miniatures of FaceForensics++ and Celeb-DF.

    A complete data set with the same settings is reused, and compressions or masks that it lacks
    are added; an interrupted one is resumed.

    Args:
        out: Folder of the miniature of FaceForensics++: new, empty, or of an earlier call.
        train: Number of people in the train split, even. With --faces, a tenth of the usable people
            validates, three tenths test, and the others train.
        val: Number of people in the validation split, even.
        test: Number of people in the test split, even.
        frames: Frames per video, over one second or at most 8 per second. Default: 8, with --faces
            24.
        size: Width and height of the videos in pixels, even. Default: 256, with photographs in
            --faces 176. Photographs are not enlarged: too small ones are left out.
        strength: Factor of the traces that the forgeries leave; 0 leaves none.
        seed: Seed of everything drawn. The same seed gives the same bytes on x86 processors with
            AVX2, for the same versions of NumPy, OpenCV and PyAV.
        faces: Folder of real faces to use instead of rendered ones: videos or photographs, a file
            or a folder per person. Of a folder the first usable file is used.
        celeb_df: Folder of the miniature of Celeb-DF, whose faces are always rendered. Default:
            OUT-celeb-df.
        celebrities: People with forgeries in the miniature of Celeb-DF, a multiple of 5.
        workers: Number of processes. Default: one per core.
        compressions: Compressions of the miniature of FaceForensics++; that of Celeb-DF has c23.
        masks: Whether to write the masks of the forged faces.
    """
    require_number("--workers", workers, least=1)
    workers = workers or usable_cores()
    celeb_df = celeb_df or out.with_name(f"{out.name}-celeb-df")
    require_separate(out, celeb_df)
    rendered = FRAMES_RENDERED if frames is None else frames
    others = Population(seed, CELEB_DF, rendered, SIZE if size is None else size, strength)
    people = replace(others, data_set=FFPP)
    if faces is not None and frames is None:
        people = replace(people, frames=FRAMES_REAL)
    if faces is not None and size is None and photographs_of(face_sizes(faces)):
        people = replace(people, size=SIZE_PHOTOGRAPHS)
    videos: list[Video] = [*dict.fromkeys(compressions)]
    if masks:
        videos.append("masks")
    ffpp = MiniFFPP(out, people, (train, val, test), faces, tuple(videos))
    celebs = MiniCelebDF(celeb_df, others, celebrities)
    celebs.check()  # before anything is rendered
    record = ffpp.generate(workers)
    print(f"{record.dataset}: {out}")
    print(f"{celebs.generate(workers).dataset}: {celeb_df}")
    for compression, control in record.confound_control.items():
        print(
            f"confound control, {compression}, video AUC (0.5 is chance): "
            f"{control.logistic_regression.auc:.3f} (logistic regression), "
            f"{control.gradient_boosting.auc:.3f} (gradient boosting)"
        )
