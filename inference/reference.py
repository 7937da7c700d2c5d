"""reference.npz: scores of the validation videos, which a new score is compared with."""

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from inference.card import EXPECTED, REMEDY

REFERENCE = "reference.npz"


@dataclass(frozen=True, eq=False)
class Reference:
    """The validation split: n videos, and the frames of each in order.

    Attributes:
        score: `[n]`, the videos' scores, aggregated as the card states.
        label: `[n]`, 1 = fake, 0 = real.
        method: `[n]`, the forgery method, or the name of the reals.
        video: `[n]`, ids.
        identity: `[n]`, the independent unit that the video belongs to: a person, or two whose
            faces were exchanged.
        side: `[n]`, median of the longer side of the face's box, in pixels.
        sharpness: `[n]`, median over the crops, see `inference.quality.sharpness`.
        frame_video: `[m]`, for each frame the row of its video.
        frame_score: `[m]`, the frames' scores.
    """

    score: NDArray[np.float64]
    label: NDArray[np.int64]
    method: NDArray[np.str_]
    video: NDArray[np.str_]
    identity: NDArray[np.str_]
    side: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    frame_video: NDArray[np.int64]
    frame_score: NDArray[np.float64]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the reference of a package.

        Raises:
            InputError: The file is missing or damaged.
        """
        return cls(**read_arrays(folder / REFERENCE, [field.name for field in fields(cls)]))

    def arrays(self) -> dict[str, Any]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def read_arrays(path: Path, names: list[str]) -> dict[str, Any]:
    """Read the named arrays of an .npz file of a package.

    Raises:
        InputError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        msg = f"{path}: damaged ({reason:.80}), expected a file of {EXPECTED}: {REMEDY}"
        raise InputError(msg) from error
