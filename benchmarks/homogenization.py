"""What gradient homogenization adds to a step, beside its peers: `make bench-homogenization`.

Every contender trains the same small network with the same two tasks; only how the tasks'
gradients are combined differs. They are interleaved, eight steps of each a round, so that whatever
else the machine does meets them all and a move of the rotations every eighth step is counted. The
figure is the median over rounds of the ratio to the plain sum in the same round; the peak memory is
that of three steps in a process of their own.

The official package runs where it is installed: `make bench-homogenization` gives it an environment
beside ours.
"""

import json
import platform
import statistics
import subprocess
import sys
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jsonargparse import auto_cli
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from lightning_modules.homogenization import GradientHomogenizer

RESULTS = Path(__file__).parent / "results" / "homogenization"
TARGET_WIDTH = 128
TASKS = 2
STEPS = 8  # a round, and the interval of a map's rotations
ROTATION_LR = 0.05


@dataclass(frozen=True)
class Case:
    """A network: its shared feature's width and form.

    Attributes:
        channels: Width C of the shared feature.
        pooled: Whether it is a vector, or else a map of side size / 16.
        size: Side of the images, in pixels.
        batch: Images a step.
    """

    channels: int
    pooled: bool
    size: int = 96
    batch: int = 32

    @property
    def name(self) -> str:
        """What the table calls it."""
        form = "pooled" if self.pooled else f"{self.size // 16}x{self.size // 16} map"
        return f"C = {self.channels}, {form}"


CPU_CASES = (Case(256, pooled=True), Case(1024, pooled=True), Case(512, pooled=False, size=112))
GPU_CASES = tuple(
    Case(channels, pooled, 112, 256)
    for channels, pooled in ((256, True), (1024, True), (2048, True), (512, False), (2048, False))
)


def backbone(case: Case) -> nn.Sequential:
    """Six convolutions with batch norm, down by 16."""
    widths = [3, 32, 32, 64, 64, 128, case.channels]
    layers: list[nn.Module] = []
    for i, stride in enumerate((2, 1, 2, 1, 2, 2)):
        conv = nn.Conv2d(widths[i], widths[i + 1], 3, stride, 1, bias=False)
        layers += [conv, nn.BatchNorm2d(widths[i + 1]), nn.ReLU()]
    if case.pooled:
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers)


def head(case: Case) -> nn.Module:
    """A linear projector."""
    if case.pooled:
        return nn.Linear(case.channels, TARGET_WIDTH)
    return nn.Conv2d(case.channels, TARGET_WIDTH, 1)


class Contender:
    """A network, its heads, its targets and an optimizer; a step is defined by its subclass."""

    def __init__(self, case: Case, device: torch.device) -> None:
        torch.manual_seed(0)
        self.backbone = backbone(case).to(device)
        self.heads = nn.ModuleList(head(case) for _ in range(TASKS)).to(device)
        self.images = torch.randn(case.batch, 3, case.size, case.size, device=device)
        with torch.no_grad():
            shape = self.heads[0](self.backbone(self.images[:2])).shape[1:]
        self.targets = torch.randn(TASKS, case.batch, *shape, device=device)
        self.parameters = [*self.backbone.parameters(), *self.heads.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, 1e-4)

    def losses(self, views: Any) -> list[Tensor]:
        """The tasks' losses, of unlike sizes."""
        return [
            (k + 1) * (head(view) - target).square().mean()
            for k, (head, view, target) in enumerate(
                zip(self.heads, views, self.targets, strict=True)
            )
        ]

    @abstractmethod
    def backward(self) -> None:
        """Leave gradients in all parameters."""

    def step(self) -> None:
        """One training step."""
        self.optimizer.zero_grad()
        self.backward()
        self.optimizer.step()


class PlainSum(Contender):
    """What all others are measured against: one backward of the summed losses."""

    def backward(self) -> None:
        """Sum the losses."""
        z = self.backbone(self.images)
        torch.stack(self.losses([z] * TASKS)).sum().backward()


class Ours(Contender):
    """The fan-out of this project."""

    weighting, rotate = "rotograd", True

    def __init__(self, case: Case, device: torch.device) -> None:
        super().__init__(case, device)
        self.homogenizer = GradientHomogenizer(
            TASKS,
            case.channels,
            weighting=self.weighting,
            rotate=self.rotate,
            rotation_interval=1 if case.pooled else STEPS,
        ).to(device)
        if not case.pooled:
            for task, layer in enumerate(self.heads):
                self.homogenizer.fold_into(task, [layer])

    def backward(self) -> None:
        """One backward through the fan-out, then the rotations' step."""
        views = self.homogenizer(self.backbone(self.images))
        torch.stack(self.losses(views)).sum().backward()
        self.homogenizer.step_rotations(ROTATION_LR)


class ScaleOnly(Ours):
    """The fan-out without rotations."""

    rotate = False


class UPGradAtFeature(Ours):
    """The fan-out with a weighting of TorchJD's."""

    weighting, rotate = "upgrad", False


class PassForEachTask(Contender):
    """RotoGrad's magnitudes by one backward through the backbone for each task."""

    def backward(self) -> None:
        """Weigh the gradients of the backbone's parameters."""
        z = self.backbone(self.images)
        losses = self.losses([z] * TASKS)
        shared = list(self.backbone.parameters())
        gradients = [torch.autograd.grad(x, shared, retain_graph=True) for x in losses]
        norms = [torch.cat([g.flatten() for g in task]).norm() for task in gradients]
        common = torch.stack(norms).mean()
        for i, parameter in enumerate(shared):
            scaled = [task[i] * (common / n) for task, n in zip(gradients, norms, strict=True)]
            parameter.grad = torch.stack(scaled).sum(0)
        own = list(self.heads.parameters())
        for parameter, gradient in zip(
            own, torch.autograd.grad(torch.stack(losses).sum(), own), strict=True
        ):
            parameter.grad = gradient


class TorchJDFull(Contender):
    """TorchJD's UPGrad on the full Jacobian of the backbone's parameters."""

    def __init__(self, case: Case, device: torch.device) -> None:
        from torchjd.aggregation import UPGrad

        super().__init__(case, device)
        self.aggregator = UPGrad()

    def backward(self) -> None:
        """TorchJD's own two calls."""
        from torchjd.autojac import jac_to_grad, mtl_backward

        z = self.backbone(self.images)
        mtl_backward(self.losses([z] * TASKS), features=z)
        jac_to_grad(self.backbone.parameters(), self.aggregator)


class OfficialPackage(Contender):
    """rotograd 0.1.6.0, in its cached mode."""

    def __init__(self, case: Case, device: torch.device) -> None:
        import rotograd

        super().__init__(case, device)
        post = () if case.pooled else (case.size // 16,) * 2
        self.package = rotograd.RotoGrad(
            self.backbone, list(self.heads), case.channels, post_shape=post
        ).to(device)
        self.cached: Callable[[], AbstractContextManager[Any]] = rotograd.cached
        self.rotation_optimizer = torch.optim.SGD(
            [p for n, p in self.package.named_parameters() if "rotation" in n], 0.01
        )

    def backward(self) -> None:
        """The package's own backward, and a step of its rotations."""
        self.rotation_optimizer.zero_grad()
        with self.cached():
            outputs = self.package(self.images)
            losses = [
                (k + 1) * (output - target).square().mean()
                for k, (output, target) in enumerate(zip(outputs, self.targets, strict=True))
            ]
            self.package.backward(losses)
        self.rotation_optimizer.step()


CONTENDERS: dict[str, type[Contender]] = {
    "plain sum": PlainSum,
    "homogenization (ours)": Ours,
    "scale only (ours)": ScaleOnly,
    "UPGrad at the feature (ours)": UPGradAtFeature,
    "K backward passes": PassForEachTask,
    "TorchJD UPGrad, full Jacobian": TorchJDFull,
}
if find_spec("rotograd"):
    CONTENDERS["official package, cached"] = OfficialPackage


def time_case(case: Case, device: torch.device, rounds: int) -> dict[str, dict[str, float]]:
    """Time every contender's step, interleaved."""
    contenders = {name: make(case, device) for name, make in CONTENDERS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(rounds + 1):
        for name, contender in contenders.items():
            elapsed = _time(contender.step, device)
            if round_:  # the first warms caches and allocators up
                seconds[name].append(elapsed)
    plain = seconds["plain sum"]
    return {
        name: {
            "milliseconds": 1e3 * statistics.median(times),
            "ratio": statistics.median(t / p for t, p in zip(times, plain, strict=True)),
        }
        for name, times in seconds.items()
    }


def _time(step: Callable[[], None], device: torch.device) -> float:
    if device.type != "cuda":
        began = time.perf_counter()
        for _ in range(STEPS):
            step()
        return (time.perf_counter() - began) / STEPS
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(STEPS):
        step()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3 / STEPS


def peak_memory(case: Case, name: str, device: torch.device) -> float:
    """Peak memory of three steps of one contender, in MiB: of the device, or of this process."""
    contender = CONTENDERS[name](case, device)
    for _ in range(3):
        contender.step()
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    # Not getrusage's: a child begins with its parent's peak.
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1]) / 2**10


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        "cpu": cpu,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def bench(device: str = "cpu", rounds: int = 10, only: str | None = None) -> None:
    """Measure every contender in every case and write benchmarks/results/homogenization.

    Args:
        device: cpu or cuda.
        rounds: Timed rounds, of eight steps of every contender.
        only: "CASE|CONTENDER": print that one's peak memory in MiB and nothing else; the benchmark
            calls itself so.
    """
    place = torch.device(device)
    cases = GPU_CASES if place.type == "cuda" else CPU_CASES
    if only is not None:
        case, contender = only.split("|")
        print(peak_memory({c.name: c for c in cases}[case], contender, place))
        return
    console = Console()
    results = []
    for case in cases:
        with console.status(case.name):
            figures = time_case(case, place, rounds)
            for name in CONTENDERS:
                words = [sys.executable, "-m", "benchmarks.homogenization", f"--device={device}"]
                done = subprocess.run(
                    [*words, f"--only={case.name}|{name}"],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                figures[name]["peak_mib"] = float(done.stdout)
        base = figures["plain sum"]["peak_mib"]
        for row in figures.values():
            row["memory_ratio"] = row["peak_mib"] / base
        console.print(_table(case, figures))
        results.append({"case": case.name, **asdict(case), "contenders": figures})
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{place.type}.json"
    written = {
        "command": f"make bench-homogenization DEVICE={device}",
        "rounds": rounds,
        "machine": machine(place),
        "results": results,
    }
    path.write_text(json.dumps(written, indent=2) + "\n")
    console.print(str(path))


def _table(case: Case, figures: dict[str, dict[str, float]]) -> Table:
    table = Table(title=case.name, title_justify="left")
    for column in ("", "step, ms", "ratio", "peak memory, MiB", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    for name, row in figures.items():
        table.add_row(
            name,
            f"{row['milliseconds']:.1f}",
            f"{row['ratio']:.2f}",
            f"{row['peak_mib']:.0f}",
            f"{row['memory_ratio']:.2f}",
        )
    return table


if __name__ == "__main__":
    auto_cli(bench)
