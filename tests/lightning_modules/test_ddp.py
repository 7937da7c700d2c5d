"""Two processes equal one: the homogenizer sees the gradients of the global batch."""

import gc
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from lightning_modules.homogenization import GradientHomogenizer

BATCH, RANKS = 8, 2
State = dict[str, Tensor]

MODES: dict[str, dict[str, Any]] = {
    "float64": {"dtype": torch.float64},
    "float32": {},
    "find unused": {"find_unused_parameters": True},
    "static graph": {"static_graph": True},
    "bf16-mixed": {"autocast": True},
    "upgrad": {"weighting": "upgrad"},
}
STEPS = {"float64": 10, "float32": 10}


class TwoTasks(nn.Module):
    """A backbone with a map, a fan-out and two heads, without batch statistics."""

    def __init__(self, weighting: str) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 12, 3), nn.Tanh(), nn.Conv2d(12, 8, 3))
        self.homogenizer = GradientHomogenizer(2, 8, weighting=weighting, burn_in=4)
        self.heads = nn.ModuleList(nn.Conv2d(8, 3, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        views = self.homogenizer(self.backbone(x))
        first, second = (head(view) for head, view in zip(self.heads, views, strict=True))
        return first.square().mean() + 3 * (second - 1).square().mean()


def train(
    mode: str,
    share: slice = slice(None),
    *,
    wrap: bool = False,
    dtype: torch.dtype = torch.float32,
    autocast: bool = False,
    weighting: str = "rotograd",
    **options: Any,
) -> State:
    torch.manual_seed(0)
    model = TwoTasks(weighting).to(dtype)
    stepped = DistributedDataParallel(model, **options) if wrap else model
    data = torch.randn(STEPS.get(mode, 50), BATCH, 3, 7, 7, dtype=torch.float64).to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for batch in data:
        with torch.autocast("cpu", torch.bfloat16) if autocast else nullcontext():
            loss = stepped(batch[share])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        model.homogenizer.step_rotations(0.1)
    return dict(model.named_parameters()) | dict(model.named_buffers())


def train_rank(rank: int, folder: str) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=RANKS
    )
    size = BATCH // RANKS
    share = slice(rank * size, (rank + 1) * size)
    states = {mode: train(mode, share, wrap=True, **options) for mode, options in MODES.items()}
    torch.save(states, f"{folder}/{rank}.pt")
    # DDP's reducer lives in a cycle, and gloo aborts where its group outlives the interpreter.
    gc.collect()
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory) -> list[dict[str, State]]:
    folder: Path = tmp_path_factory.mktemp("ddp")
    spawn(train_rank, (str(folder),), nprocs=RANKS)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


@pytest.mark.parametrize(("mode", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)])
def test_two_ranks_equal_one_process(mode: str, tolerance: float, ranks) -> None:
    alone = train(mode, **MODES[mode])
    for name, expected in alone.items():
        apart = (ranks[0][mode][name] - expected).double().norm()
        assert apart <= tolerance * expected.double().norm().clamp_min(1), name
    moved = alone["homogenizer.rotations"] - torch.eye(8)
    assert moved.abs().max() > 1e-3  # otherwise the agreement means nothing


@pytest.mark.parametrize("mode", MODES)
def test_ranks_stay_identical(mode: str, ranks) -> None:
    first, second = (states[mode] for states in ranks)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
