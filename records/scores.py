"""scores.csv: the frame scores of a test pass."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from errors import InputError
from records.files import read_text, write_file
from records.results import how_to_test_again

VIDEO_KEY = ["dataset", "compression", "method", "video"]
"""Columns that identify a video: the fakes `000_003` of four methods are four videos."""

PEOPLE = ["target", "source"]
"""Columns of the identities that a video shows, "" if unknown; see `records.identities`."""

WRITTEN = [*VIDEO_KEY, *PEOPLE, "label", "split", "frame", "score"]
"""Columns of the file, before those of slices; one row per frame."""

COLUMNS = [*VIDEO_KEY, "label", "frame", "score"]
"""Columns that the evaluation reads."""

_TYPES = {
    **dict.fromkeys([*VIDEO_KEY, *PEOPLE], "str"),
    "label": "int64",
    "frame": "int64",
    "score": "float64",
}
_NO_SCORE = ["", "nan", "NaN"]


def write_scores(scores: pd.DataFrame, path: Path, slices: Sequence[str] = ()) -> None:
    """Write a table of frame scores, whole or not at all, with columns for slices."""
    write_file(path, scores[[*WRITTEN, *slices]].to_csv(index=False))


def read_scores(path: Path, slices: Sequence[str] = ()) -> pd.DataFrame:
    """Read COLUMNS of a table of frame scores, those of slices, and PEOPLE if it has them.

    Ids stay text, so that `071` does not become 71.

    Raises:
        InputError: The file is missing, lacks a column, or see `check_scores`.
    """
    required = [*COLUMNS, *slices]
    expected = f"a table of {', '.join(required)}"
    types = _TYPES | dict.fromkeys(slices, "str")
    remedy = how_to_test_again(path.parent)
    text = read_text(path, expected, remedy)
    try:
        # An id such as "null" is text; only a score may be missing, which `check_scores` reports.
        scores = pd.read_csv(
            StringIO(text),
            usecols=lambda name: name in types,
            dtype=types,
            keep_default_na=False,
            na_values={"score": _NO_SCORE},
        )
        scores[required]
    except (ValueError, KeyError, OverflowError) as error:
        reason = " ".join(str(error).split())
        msg = f"{path}: {reason}; expected {expected}: {remedy}"
        raise InputError(msg) from error
    check_scores(scores, str(path))
    return scores


def check_scores(scores: pd.DataFrame, source: str = "scores") -> None:
    """Check that each frame occurs once, with a probability, and each video has one label.

    Raises:
        InputError: A row is wrong; the number of such rows and the first one are named.
    """
    again = "test the run again"
    score, label = scores["score"].to_numpy(np.float64), scores["label"]
    first_label = scores.groupby(VIDEO_KEY, sort=False, observed=True)["label"].transform("first")
    checks = {
        "have a score that is not finite, expected a probability: "
        f"{again}; if it diverged, train it with a lower learning rate": ~np.isfinite(score),
        f"have a score outside 0 to 1, expected a probability: {again}": (score < 0) | (score > 1),
        f"have a label other than 0 or 1: {again}": ~label.isin([0, 1]),
        "are counted twice, expected each frame once: test on one process or without padding": (
            scores.duplicated([*VIDEO_KEY, "frame"])
        ),
        f"have another label than their video, expected one label per video: {again}": (
            label != first_label
        ),
    }
    for problem, wrong in checks.items():
        if count := int(np.count_nonzero(wrong)):
            first = scores[np.asarray(wrong)].iloc[0]
            name = f"{first['dataset']}/{first['method']}/{first['video']} ({first['compression']})"
            msg = f"{source}: {count} frames, the first is {first['frame']} of {name}, {problem}"
            raise InputError(msg)
