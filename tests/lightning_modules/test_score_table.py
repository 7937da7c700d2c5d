"""Validation figures over two real processes with uneven shares, against scikit-learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from lightning_modules.score_table import ScoreTable, detection_metrics

RANKS = 2
FRAMES, VIDEOS = 101, 23
# Frames of the first process; the other one gets the rest.
SHARES = {"uneven": 40, "one frame": 1, "all but one": FRAMES - 1, "no frame": 0}


def frames(tied: bool) -> dict[str, Tensor]:
    rng = np.random.default_rng(0)
    videos = rng.integers(VIDEOS, size=FRAMES)
    labels = videos % 2
    scores = rng.uniform(size=(FRAMES, 2)).astype(np.float32)
    if tied:
        scores = scores.round(1)
    columns = {"rows": np.arange(FRAMES), "videos": videos, "labels": labels, "scores": scores}
    return {name: torch.from_numpy(column) for name, column in columns.items()}


def gather(columns: dict[str, Tensor], share: slice) -> dict[str, Tensor]:
    table = ScoreTable()
    table.begin(heads=2)
    mine = {name: column[share] for name, column in columns.items()}
    for start in range(0, len(mine["rows"]), 16):
        table.update(**{name: column[start : start + 16] for name, column in mine.items()})
    return table.compute()


def compute(columns: dict[str, Tensor], share: slice) -> list[dict[str, Tensor]]:
    return [detection_metrics(gather(columns, share), head) for head in range(2)]


def compute_rank(rank: int, folder: str) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=RANKS
    )
    figures: dict[str, object] = {}
    for name, first in SHARES.items():
        share = slice(first) if rank == 0 else slice(first, None)
        for tied in (False, True):
            figures[f"{name} {tied}"] = compute(frames(tied), share)
            figures[f"table of {name} {tied}"] = gather(frames(tied), share)
    torch.save(figures, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory) -> list[dict[str, Any]]:
    folder: Path = tmp_path_factory.mktemp("ranks")
    spawn(compute_rank, (str(folder),), nprocs=RANKS)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


def expected(columns: dict[str, Tensor], head: int) -> dict[str, float]:
    labels, videos = columns["labels"].numpy(), columns["videos"].numpy()
    scores = columns["scores"][:, head].double().numpy()
    means = [scores[videos == v].mean() for v in np.unique(videos)]
    return {
        "loss": log_loss(labels, scores),
        "frame_auc": roc_auc_score(labels, scores),
        "video_auc": roc_auc_score(np.unique(videos) % 2, means),
    }


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("head", [0, 1])
def test_one_process_equals_scikit_learn(tied: bool, head: int) -> None:
    figures = compute(frames(tied), slice(None))[head]
    for name, value in expected(frames(tied), head).items():
        assert float(figures[name]) == pytest.approx(value, abs=1e-9, rel=0), name


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("share", SHARES)
def test_two_ranks_equal_scikit_learn_however_the_frames_are_shared(share, tied, ranks) -> None:
    for figures in ranks:
        for head in range(2):
            for name, value in expected(frames(tied), head).items():
                got = float(figures[f"{share} {tied}"][head][name])
                assert got == pytest.approx(value, abs=1e-9, rel=0), name


@pytest.mark.parametrize("share", SHARES)
def test_two_ranks_gather_the_table_of_one_so_every_figure_of_a_test_is_the_same(
    share, ranks
) -> None:
    alone = gather(frames(tied=True), slice(None))
    for gathered in (rank[f"table of {share} True"] for rank in ranks):
        assert all(torch.equal(gathered[name], column) for name, column in alone.items())


def test_only_scores_are_kept_of_a_frame() -> None:
    table = ScoreTable()
    for _ in range(50):
        table.update(
            torch.arange(64), torch.arange(64), torch.ones(64, dtype=torch.long), torch.rand(64, 1)
        )
    kept = sum(part.nbytes for column in table.metric_state.values() for part in column)
    assert kept == 50 * 64 * (3 * 8 + 4)
