from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from datamodules.layouts.ffpp import scan_ffpp
from datamodules.process_pool import run_tasks

FEATURES = (
    "file size",
    "bit rate",
    "length",
    "frames per second",
    "width",
    "height",
    "mean Y",
    "mean U",
    "mean V",
)
RESAMPLES = 500


def confound_control(root: Path, compression: str, workers: int = 1) -> dict[str, Any]:
    """How well what has nothing to do with faces tells real from fake.

    Two classifiers see file size, bit rate, length, frame rate, resolution and mean colour of
    each video and nothing else; they are trained on the train split and scored on the test split.
    About 0.5 means that a detector's figure on this data is owed to what it sees.

    Args:
        root: A folder in FaceForensics++'s tree.
        compression: `c23`, `c40` or `raw`.
        workers: Processes that read the videos.

    Returns:
        `{"logistic_regression": {"auc", "interval"}, "gradient_boosting": {...}, "features",
        "train_videos", "test_videos"}`; the interval is the bootstrap's 95 % over test videos.
    """
    records = scan_ffpp(root, compression).records
    paths = [record.path for record in records]
    table = np.array(run_tasks(_features, paths, workers, f"Confound control, {compression}"))
    labels = np.array([record.label for record in records])
    splits = np.array([record.split for record in records])
    train, test = splits == "train", splits == "test"
    classifiers = {
        "logistic_regression": make_pipeline(
            StandardScaler(), LogisticRegression(class_weight="balanced")
        ),
        "gradient_boosting": HistGradientBoostingClassifier(
            max_iter=60, max_leaf_nodes=8, class_weight="balanced", random_state=0
        ),
    }
    figures: dict[str, Any] = {}
    for name, classifier in classifiers.items():
        classifier.fit(table[train], labels[train])
        scores = classifier.predict_proba(table[test])[:, 1]
        figures[name] = _auc_with_interval(labels[test], scores)
    return figures | {
        "features": list(FEATURES),
        "train_videos": int(train.sum()),
        "test_videos": int(test.sum()),
    }


def _features(path: Path) -> list[float]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        means = []
        for frame in container.decode(stream):
            planes = frame.reformat(format="yuv420p").to_ndarray()
            height = frame.height
            chroma = planes[height:].reshape(2, -1)
            means.append((planes[:height].mean(), chroma[0].mean(), chroma[1].mean()))
        size = path.stat().st_size
        rate = float(stream.average_rate or 1)
        seconds = len(means) / rate
        colour = np.mean(means, axis=0)
        shape = (float(stream.codec_context.width), float(stream.codec_context.height))
    return [float(size), 8 * size / seconds, seconds, rate, *shape, *map(float, colour)]


def _auc_with_interval(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    aucs = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(labels), size=len(labels))
        if 0 < labels[drawn].sum() < len(drawn):
            aucs.append(roc_auc_score(labels[drawn], scores[drawn]))
    low, high = np.percentile(aucs, [2.5, 97.5])
    return {
        "auc": round(float(roc_auc_score(labels, scores)), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
    }
