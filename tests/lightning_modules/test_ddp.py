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
from lightning_modules.losses.registry import RELATIONS

BATCH, RANKS = 8, 2
State = dict[str, Tensor]

MODES: dict[str, dict[str, Any]] = {
    "float64": {"dtype": torch.float64},
    "one task": {"dtype": torch.float64, "tasks": 1},
    "four tasks": {"dtype": torch.float64, "tasks": 4},
    "eight tasks": {"dtype": torch.float64, "tasks": 8},
    "relations": {"dtype": torch.float64, "tasks": 3, "relations": True},
    "float32": {},
    "find unused": {"find_unused_parameters": True},
    "static graph": {"static_graph": True},
    "bf16-mixed": {"autocast": True},
    "upgrad": {"weighting": "upgrad"},
}
TEN_STEPS = ("float64", "one task", "four tasks", "eight tasks", "relations", "float32")


class Tasks(nn.Module):
    """A backbone with a map, a fan-out and a head for each task, without batch statistics."""

    def __init__(self, tasks: int, relations: bool, weighting: str) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 12, 3), nn.Tanh(), nn.Conv2d(12, 8, 3))
        self.homogenizer = GradientHomogenizer(tasks, 8, weighting=weighting, burn_in=4)
        self.heads = nn.ModuleList(nn.Conv2d(8, 3, 1) for _ in range(tasks))
        self.relations = [RELATIONS[name] for name in ("rkd", "sp", "pkt")] if relations else None

    def forward(self, x: Tensor) -> Tensor:
        views = self.homogenizer(self.backbone(x))
        outputs = [head(view) for head, view in zip(self.heads, views, strict=True)]
        if self.relations:
            losses = [loss(out, x) for loss, out in zip(self.relations, outputs, strict=True)]
        else:
            losses = [(1 + k) * (out - k).square().mean() for k, out in enumerate(outputs)]
        return 2 * torch.stack(losses).mean()


def train(
    mode: str,
    share: slice = slice(None),
    *,
    wrap: bool = False,
    dtype: torch.dtype = torch.float32,
    autocast: bool = False,
    weighting: str = "rotograd",
    tasks: int = 2,
    relations: bool = False,
    **options: Any,
) -> State:
    torch.manual_seed(0)
    model = Tasks(tasks, relations, weighting).to(dtype)
    stepped = DistributedDataParallel(model, **options) if wrap else model
    data = torch.randn(10 if mode in TEN_STEPS else 50, BATCH, 3, 7, 7, dtype=torch.float64).to(
        dtype
    )
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


@pytest.mark.parametrize(
    ("mode", "tolerance"),
    [(mode, 1e-6 if mode == "float32" else 1e-12) for mode in TEN_STEPS],
)
def test_two_ranks_equal_one_process(mode: str, tolerance: float, ranks) -> None:
    alone = train(mode, **MODES[mode])
    for name, expected in alone.items():
        apart = (ranks[0][mode][name] - expected).double().norm()
        assert apart <= tolerance * expected.double().norm().clamp_min(1), name
    moved = alone["homogenizer.rotations"] - torch.eye(8)
    if mode != "one task":  # nothing to align with
        assert moved.abs().max() > 1e-3  # otherwise the agreement means nothing


@pytest.mark.parametrize("mode", MODES)
def test_ranks_stay_identical(mode: str, ranks) -> None:
    first, second = (states[mode] for states in ranks)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
