"""Figures per slice, against their definitions; intervals against simulated identities."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from evaluation.metrics.slices import slice_results


def videos(rng: np.random.Generator, people: int, fakes: int = 3) -> pd.DataFrame:
    """Draw video scores: each person has a real video and fakes, and a tone of its own."""
    rows = []
    for person in range(people):
        tone, effect = ("light", "medium", "dark")[person % 3], rng.normal()
        for number in range(1 + fakes):
            label = int(number > 0)
            logit = 1.6 * label - 0.8 + 0.5 * effect + rng.normal()
            score = 1 / (1 + np.exp(-logit))
            rows.append((f"{person}-{number}", f"p{person}", "", label, score, tone))
    return pd.DataFrame(rows, columns=["video", "target", "source", "label", "score", "tone"])


def test_figures_are_those_of_the_slice_alone() -> None:
    table = videos(np.random.default_rng(0), 30)
    table.loc[table["target"] == "p0", "tone"] = ""
    found = slice_results(table, "tone", 0.5)
    assert found is not None
    assert list(found.slices) == ["dark", "light", "medium"]
    for name, figures in found.slices.items():
        own = table[table["tone"] == name]
        called, fake = own["score"] >= 0.5, own["label"] == 1
        assert figures.fpr.value == pytest.approx(called[~fake].mean())
        assert figures.tpr.value == pytest.approx(called[fake].mean())
        assert figures.auc.value == pytest.approx(roc_auc_score(own["label"], own["score"]))
        assert figures.identities == own["target"].nunique()
        assert (figures.real, figures.fake) == ((~fake).sum(), fake.sum())
        for one in (figures.fpr, figures.tpr, figures.auc):
            assert one.interval is not None
            assert one.interval[0] <= one.value <= one.interval[1]
    for figure, gap in found.gaps.items():
        values = {name: getattr(one, figure).value for name, one in found.slices.items()}
        assert gap.difference == pytest.approx(max(values.values()) - min(values.values()))
        assert (values[gap.highest], values[gap.lowest]) == (
            max(values.values()),
            min(values.values()),
        )
        assert gap.pairs == 3
        assert gap.interval is not None
        assert gap.interval[0] < gap.difference < gap.interval[1]


def test_a_slice_of_one_class_has_a_rate_and_no_auc() -> None:
    table = videos(np.random.default_rng(0), 12)
    table = table[(table["tone"] != "dark") | (table["label"] == 0)]
    found = slice_results(table, "tone", 0.5)
    assert found is not None
    dark = found.slices["dark"]
    assert dark.fpr.value is not None
    assert (dark.tpr.value, dark.auc.value, dark.fake) == (None, None, 0)
    assert found.gaps["auc"].pairs == 1
    assert slice_results(table.assign(tone=""), "tone", 0.5) is None
    one = slice_results(table.assign(tone="all"), "tone", 0.5)
    assert one is not None
    assert not one.gaps


def test_the_widest_of_equal_slices_is_a_gap_in_at_most_one_of_twenty_tables() -> None:
    rng, tables = np.random.default_rng(1), 20
    missed = dict.fromkeys(("fpr", "tpr", "auc"), 0)
    for _ in range(tables):
        found = slice_results(videos(rng, 42, fakes=2), "tone", 0.5)
        assert found is not None
        for figure, gap in found.gaps.items():
            assert gap.interval is not None
            missed[figure] += gap.interval[0] > 0
    # The widest gap is never negative, so only the lower bound can miss. Of 300 tables it missed
    # 11, 14 and 14; of 20, more than 4 would be less likely than 1 in 300.
    assert all(count <= 4 for count in missed.values()), missed
