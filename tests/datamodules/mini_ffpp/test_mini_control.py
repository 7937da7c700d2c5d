import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from datamodules.mini_ffpp.control import auc_over_identities


def test_the_auc_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 60), rng.integers(0, 9, 60) / 8
    videos = pd.Series([f"{number % 12:03d}_{number:03d}" for number in range(60)])
    figure = auc_over_identities(labels, scores, videos)
    assert figure.auc == round(roc_auc_score(labels, scores), 4)
    assert figure.interval[0] < figure.auc < figure.interval[1]


def test_more_videos_of_the_same_identities_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 10)
    scores = rng.normal(size=20) + labels
    targets = [f"{number // 2:03d}" for number in range(20)]
    once = auc_over_identities(labels, scores, pd.Series(targets))
    four_times = auc_over_identities(
        np.tile(labels, 4),
        np.tile(scores, 4),
        pd.Series([f"{target}_{copy}" for copy in range(4) for target in targets]),
    )
    assert four_times == once
