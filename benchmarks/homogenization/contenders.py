"""The ways of combining the tasks' gradients that are measured: one class each."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.homogenization import GradientHomogenizer

TARGET_WIDTH = 128
ROTATION_LR = 0.05


@dataclass(frozen=True)
class Case:
    """A network: its shared feature's width and form.

    Attributes:
        name: What the table calls it.
        channels: Width C of the shared feature.
        size: Side of the images, in pixels; a map has a side of size / 32.
        pooled: Whether the shared feature is a vector, or else a map.
        batch: Images per step.
        peers: Whether other ways of combining the gradients are measured too.
        tasks: Number of tasks, such as the branches of the teachers.
    """

    name: str
    channels: int
    size: int
    pooled: bool = False
    batch: int = 32
    peers: bool = False
    tasks: int = 2

    @property
    def steps(self) -> int:
        """Steps per round: every round has the rotations' move."""
        return max(8, GradientHomogenizer(1, self.channels).rotation_interval)

    @property
    def contenders(self) -> "dict[str, type[Contender]]":
        """The contenders that are measured."""
        return {name: c for name, c in CONTENDERS.items() if self.peers or c in (PlainSum, Ours)}


# Widths, crop sizes and maps of the students of configs/student/mini.yaml and ffpp.yaml come first.
CPU_CASES = (
    Case("C = 32 map", 32, 112, peers=True),
    Case("C = 576 map", 576, 256, peers=True),
    Case("C = 1024 pooled", 1024, 112, pooled=True, peers=True),
    Case("C = 2048 map at batch 32", 2048, 224),
    Case("C = 320 map", 320, 256),
)
BRANCH_CASES = tuple(
    Case(f"{tasks} {'branch' if tasks == 1 else 'branches'}, C = 512 map", 512, 224, tasks=tasks)
    for tasks in (1, 2, 4, 8)
)
GPU_CASES = (
    Case("C = 576 map", 576, 256, batch=256, peers=True),
    Case("C = 1024 pooled", 1024, 112, pooled=True, batch=256, peers=True),
    Case("C = 2048 map", 2048, 224, batch=256, peers=True),
)


def backbone(case: Case) -> nn.Sequential:
    """Six convolutions with batch norm, down by 32."""
    widths = [3, 32, 32, 64, 64, 128, case.channels]
    layers: list[nn.Module] = []
    for i, stride in enumerate((2, 2, 2, 1, 2, 2)):
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
        self.heads = nn.ModuleList(head(case) for _ in range(case.tasks)).to(device)
        self.images = torch.randn(case.batch, 3, case.size, case.size, device=device)
        with torch.no_grad():
            shape = self.heads[0](self.backbone(self.images[:2])).shape[1:]
        self.targets = torch.randn(case.tasks, case.batch, *shape, device=device)
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
        torch.stack(self.losses([z] * len(self.heads))).sum().backward()


class Ours(Contender):
    """The fan-out of this project."""

    weighting, rotate = "rotograd", True

    def __init__(self, case: Case, device: torch.device) -> None:
        super().__init__(case, device)
        self.homogenizer = GradientHomogenizer(
            case.tasks,
            case.channels,
            weighting=self.weighting,
            rotate=self.rotate,
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
        losses = self.losses([z] * len(self.heads))
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
        mtl_backward(self.losses([z] * len(self.heads)), features=z)
        jac_to_grad(self.backbone.parameters(), self.aggregator)


class OfficialPackage(Contender):
    """rotograd 0.1.6.0, in its cached mode."""

    def __init__(self, case: Case, device: torch.device) -> None:
        import rotograd

        super().__init__(case, device)
        post = () if case.pooled else (-(-case.size // 32),) * 2
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
