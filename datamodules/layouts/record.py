from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class VideoRecord:
    """One video of a data set, independent of the data set's folders.

    Attributes:
        dataset: "FaceForensics++", "Celeb-DF-v2", ...; a miniature's begins with "mini-".
        method: "original", "Deepfakes", ...; in Celeb-DF "Celeb-real", "YouTube-real" or
            "Celeb-synthesis".
        video: Id within data set and method: "071", "071_054", "id0_id1_0000".
        label: 1 is fake, 0 is real.
        compression: "raw", "c23" or "c40"; "release" for data sets in a single compression.
        target: Identity whose video it is, if known.
        source: Identity whose face was inserted, for a fake.
        mask: Video of the manipulated pixels, frame by frame, if the data set has one.
        slices: Further properties by name, e.g. {"skin_tone": "dark"}; see `evaluation.slices`.
    """

    dataset: str
    method: str
    video: str
    label: int
    split: str
    compression: str
    path: Path
    target: str | None = None
    source: str | None = None
    mask: Path | None = None
    slices: Mapping[str, str] = field(default_factory=dict, hash=False)
