"""The validation videos of a run: their scores, and the paired difference of two networks."""

from pathlib import Path

import numpy as np
import pandas as pd

from datamodules.crops.store import CropStore
from evaluation.comparison.estimate import estimate, known_interval
from evaluation.comparison.run import Run
from evaluation.measurement.corrupted_scores import SplitCrops, Videos
from evaluation.metrics.aggregation import video_scores
from evaluation.metrics.auc import auc_contributions
from inference.card import Card
from inference.crop_scorer import CropScorer
from inference.reference import Reference
from records.identities import IdentityUnits, shown_people
from records.results import Interval
from records.scores import PEOPLE, VIDEO_KEY, read_scores

_CROPS_PER_CALL = 256


def make_reference(run: Run, crops: SplitCrops) -> Reference:
    """Gather the scores of a run's validation pass, and the sizes of its faces.

    Raises:
        InputError: The table of the scores is missing or damaged.
    """
    frames = read_scores(run.files.scores(None, "val"))
    videos = video_scores(frames, run.protocol.aggregation)
    number = {key: i for i, key in enumerate(videos[VIDEO_KEY].itertuples(index=False, name=None))}
    of_frame = [number[key] for key in frames[VIDEO_KEY].itertuples(index=False, name=None)]
    people = shown_people(videos)
    units = IdentityUnits(people)
    side = np.full(len(videos), np.nan)
    manifest = crops.store.manifest
    for name, rows in crops.videos:
        at = number.get(tuple(name.split("/")))
        if at is not None:
            boxes = manifest.loc[rows, ["x0", "y0", "x1", "y1"]].to_numpy(np.float64)
            side[at] = np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1))
    return Reference(
        score=videos["score"].to_numpy(np.float64),
        label=videos["label"].to_numpy(np.int64),
        method=videos["method"].to_numpy(np.str_),
        video=videos["video"].to_numpy(np.str_),
        identity=np.array(["+".join(units.of(shown)) for shown in people]),
        side=side,
        frame_video=np.array(of_frame, dtype=np.int64),
        frame_score=frames["score"].to_numpy(np.float64),
    )


def score_videos(network: Path, card: Card, store: CropStore, videos: Videos) -> pd.DataFrame:
    """Score videos of a crop store with an exported network, one row per video."""
    scorer = CropScorer(network, card.network.image_size)
    rows = [row for _, of_video in videos for row in of_video]
    scores = [
        scorer.score(np.stack([store.crop(row) for row in rows[i : i + _CROPS_PER_CALL]]))
        for i in range(0, len(rows), _CROPS_PER_CALL)
    ]
    table = store.manifest.loc[rows, [*VIDEO_KEY, *PEOPLE, "label", "frame"]].reset_index(drop=True)
    probabilities = np.concatenate([one.probabilities for one in scores]).astype(np.float64)
    return video_scores(table.assign(score=probabilities), card.aggregation)


def auc_difference(one: pd.DataFrame, other: pd.DataFrame) -> tuple[float, Interval | None]:
    """Return the video AUC of one table minus that of another of the same videos.

    Its 95 % interval is over the identities, paired; None with fewer than two independent units.
    """
    labels = one["label"].to_numpy(np.int64)
    scores = np.stack([table["score"].to_numpy(np.float64) for table in (one, other)])
    aucs, parts = auc_contributions(labels, scores)
    people = shown_people(one)
    units = IdentityUnits(people)
    sums = units.sums(parts[0] - parts[1], people)
    difference = float(aucs[0] - aucs[1])
    found = estimate([difference], [0], units.covariance(sums[None]), units.df)
    return difference, known_interval(found.interval())
