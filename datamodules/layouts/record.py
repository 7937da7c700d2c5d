from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class VideoRecord:
    """One video of a data set, whatever the tree it lies in.

    Attributes:
        dataset: "FaceForensics++", "Celeb-DF-v2", ...; a miniature's begins with "mini-".
        method: "original", "Deepfakes", ...; in Celeb-DF "Celeb-real", "YouTube-real" or
            "Celeb-synthesis".
        video: Id within data set and method: "071", "071_054", "id0_id1_0000".
        label: 1 is fake, 0 is real.
        split: "train", "val" or "test".
        compression: "raw", "c23" or "c40"; "release" for Celeb-DF, which comes in one quality.
        path: The video file.
        target: Identity whose video it is, where the name tells.
        source: Identity whose face was put in, for a fake.
        mask: Video of the manipulated pixels, frame by frame, where the data set has one.
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

    @property
    def key(self) -> str:
        """Data set, method and id: two methods' `071_054` are two videos."""
        return f"{self.dataset}/{self.method}/{self.video}"
