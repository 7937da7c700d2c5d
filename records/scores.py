"""scores.csv: the frame scores of a run."""

from pathlib import Path

import pandas as pd

from errors import InputError
from evaluation.metrics.aggregation import VIDEO_KEY
from evaluation.metrics.score_metrics import check_scores

COLUMNS = ["dataset", "compression", "method", "video", "label", "frame", "score"]


def read_scores(path: Path) -> pd.DataFrame:
    """Frame scores of a run; ids stay text, so that `071` does not become 71.

    Raises:
        InputError: None there, not such a table, or see `check_scores`.
    """
    if not path.is_file():
        msg = f"{path}: no such file, expected the frame scores of a test: test the run again"
        raise InputError(msg)
    try:
        text: dict[str, type[str] | type[float]] = dict.fromkeys(VIDEO_KEY, str)
        scores = pd.read_csv(
            path,
            usecols=COLUMNS,
            dtype=text | {"score": float},
        )
    except ValueError as error:
        msg = f"{path}: not a table of {', '.join(COLUMNS)}: test the run again"
        raise InputError(msg) from error
    check_scores(scores, str(path))
    return scores
