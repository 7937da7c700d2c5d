"""Two real processes against one: the homogenizer sees the gradients of the global batch."""

import gc
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from lightning_modules.homogenization import GradientHomogenizer

STEPS, BATCH, RANKS = 10, 8, 2


class TwoTasks(nn.Module):
    """A backbone, a fan-out and two heads, small and without batch statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 8))
        self.homogenizer = GradientHomogenizer(2, 8, burn_in=4)
        self.heads = nn.ModuleList(nn.Linear(8, 3) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        views = self.homogenizer(self.backbone(x))
        first, second = (head(view) for head, view in zip(self.heads, views, strict=True))
        return first.square().mean() + 3 * (second - 1).square().mean()


def train(share: slice, wrap: bool) -> dict[str, Tensor]:
    torch.manual_seed(0)
    model = TwoTasks().double()
    stepped = DistributedDataParallel(model) if wrap else model
    data = torch.randn(STEPS, BATCH, 6, dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for batch in data:
        stepped(batch[share]).backward()
        optimizer.step()
        optimizer.zero_grad()
        model.homogenizer.step_rotations(0.1)
    return dict(model.named_parameters()) | dict(model.named_buffers())


def train_rank(rank: int, folder: str) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=RANKS
    )
    size = BATCH // RANKS
    torch.save(train(slice(rank * size, (rank + 1) * size), True), f"{folder}/{rank}.pt")
    # DDP's reducer lives in a cycle, and gloo aborts where its group outlives the interpreter.
    gc.collect()
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory) -> list[dict[str, Tensor]]:
    folder: Path = tmp_path_factory.mktemp("ddp")
    spawn(train_rank, (str(folder),), nprocs=RANKS)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


def test_two_ranks_equal_one_process(ranks) -> None:
    alone = train(slice(None), False)
    for name, expected in alone.items():
        torch.testing.assert_close(ranks[0][name], expected, rtol=1e-12, atol=1e-12)
    moved = alone["homogenizer.rotations"] - torch.eye(8, dtype=torch.float64)
    assert moved.abs().max() > 1e-3  # there was something to agree about


def test_ranks_stay_identical(ranks) -> None:
    for name, value in ranks[0].items():
        assert torch.equal(value, ranks[1][name]), name
