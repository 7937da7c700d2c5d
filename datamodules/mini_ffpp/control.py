from pathlib import Path

import av
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from datamodules.layouts.ffpp import scan_ffpp
from datamodules.process_pool import run_tasks
from records.data_info import ConfoundControl, ControlFigure
from records.identities import IdentityUnits
from records.protocol import CONFIDENCE

FEATURES = "file size, bit rate, length, frames per second, width, height, mean Y, mean U, mean V"


def confound_control(root: Path, compression: str, workers: int = 1) -> ConfoundControl:
    """Measure how well classifiers distinguish real and fake without seeing the faces.

    Two classifiers see the features of each video. They are trained on the train split and tested
    on the test split, which share no person. If both AUCs are near 0.5, a detector cannot owe its
    AUC to these features.

    Args:
        root: A folder with FaceForensics++'s tree.
        compression: `c23`, `c40` or `raw`.
        workers: Number of processes that read the videos.

    Returns:
        AUC of each classifier, with the bootstrap's 95 % interval over the test identities.
    """
    records = scan_ffpp(root, compression).records
    paths = [record.path for record in records]
    table = np.array(run_tasks(_features, paths, workers, f"Confound control, {compression}"))
    labels = np.array([record.label for record in records])
    splits = np.array([record.split for record in records])
    train, test = splits == "train", splits == "test"
    videos = pd.Series([record.video for record in records if record.split == "test"])

    def figure(classifier: LogisticRegression | HistGradientBoostingClassifier) -> ControlFigure:
        classifier.fit(table[train], labels[train])
        return auc_over_identities(
            labels[test], classifier.predict_proba(table[test])[:, 1], videos
        )

    return ConfoundControl(
        logistic_regression=figure(
            make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        ),
        gradient_boosting=figure(
            HistGradientBoostingClassifier(
                max_iter=60, max_leaf_nodes=8, class_weight="balanced", random_state=0
            )
        ),
        features=FEATURES.split(", "),
        train_videos=int(train.sum()),
        test_videos=int(test.sum()),
    )


def auc_over_identities(
    labels: NDArray[np.int64], scores: NDArray[np.float64], videos: pd.Series
) -> ControlFigure:
    """Compute the AUC and its interval, resampling the identities of the videos.

    Args:
        labels: `[N]`, 1 = fake, 0 = real.
        scores: `[N]`, higher for fakes.
        videos: `[N]` ids, which name the identity.
    """
    units = IdentityUnits(videos)
    drawn = units.weights()[:, units.members(videos)]
    weights = np.vstack([np.ones(len(videos)), drawn])
    fake, real = labels == 1, labels == 0
    difference = scores[fake][:, None] - scores[real]
    wins = (difference > 0) + 0.5 * (difference == 0)
    won = ((weights[:, fake] @ wins) * weights[:, real]).sum(axis=1)
    aucs = won / (weights[:, fake].sum(axis=1) * weights[:, real].sum(axis=1))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(aucs[1:], [tail, 1 - tail])
    return ControlFigure(round(float(aucs[0]), 4), (round(float(low), 4), round(float(high), 4)))


def _features(path: Path) -> list[float]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # one process per core decodes other videos
        means = []
        for frame in container.decode(stream):
            planes = frame.reformat(format="yuv420p").to_ndarray()
            chroma = planes[frame.height :].reshape(2, -1)
            means.append((planes[: frame.height].mean(), chroma[0].mean(), chroma[1].mean()))
        rate = float(stream.average_rate or 1)
        shape = stream.codec_context.width, stream.codec_context.height
    size, seconds = path.stat().st_size, len(means) / rate
    return [size, 8 * size / seconds, seconds, rate, *shape, *np.mean(means, axis=0)]
