"""The score of a video in one function."""

import sys
from functools import lru_cache
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(_FOLDER))

from inference.detector import Detector  # noqa: E402 -- from this folder


@lru_cache(maxsize=1)
def _detector() -> Detector:
    return Detector.open(_FOLDER)


def predict(path: str | Path) -> float:
    """Return the score of a video from 0 (real) to 1 (fake).

    It is the score of the detector's own test, whatever the video's domain, quality and length.

    Raises:
        ValueError: No face was found (`inference.detector.NoFaceError`), or the file is missing or
            cannot be decoded. A missing face has no score.
    """
    return _detector().score(Path(path))
