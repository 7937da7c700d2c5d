from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from torch import Tensor, nn

from errors import InputError, require_number
from lightning_modules.homogenization import GradientHomogenizer
from lightning_modules.homogenization.registry import create_weighting
from lightning_modules.losses import DISTANCES, RELATIONS, match_size, pool
from lightning_modules.projectors import Identity, Projector, ProjectorFactory
from lightning_modules.registry import resolve

Sharing = Literal["none", "trunk", "output"]


@dataclass
class HomogenizationSpec:
    """How the tasks' gradients are combined at the shared feature.

    Attributes:
        weighting: A function of the Gramian: sum, rotograd, one of TorchJD's, or the class path of
            a Weighting.
        rotate: Learn one rotation of the shared feature per task.
        rotation_init: Initial rotations.
        rotation_lr: Step size along the rotations' normalized gradient, at the schedule's peak.
        rotation_interval: Number of steps between moves of the rotations; null follows the width,
            see GradientHomogenizer.
        burn_in: Number of steps after which RotoGrad takes its reference norms again.
        classification: Make the classification the first task, with a view of its own.
    """

    weighting: str = "rotograd"
    rotate: bool = True
    rotation_init: Literal["identity", "haar"] = "identity"
    rotation_lr: float = 0.05
    rotation_interval: int | None = None
    burn_in: int = 20
    classification: bool = False

    def check(self) -> None:
        """Check the values before anything is built from them.

        Raises:
            InputError: A number is out of range, or the weighting does not exist.
        """
        for name, least in {"burn_in": 0, "rotation_lr": 0, "rotation_interval": 1}.items():
            option = f"model.init_args.homogenization.{name}"
            require_number(option, getattr(self, name), least=least)
        create_weighting(self.weighting, 1, self.burn_in)


Weight = float | dict[str, float]
_WEIGHT = "model.init_args.distillation_weight"


def check_weight(weight: Weight) -> None:
    """Check a total weight, or the weights of the targets by name.

    Raises:
        InputError: One is below 0.
    """
    weights = weight if isinstance(weight, dict) else {"": weight}
    for name, value in weights.items():
        require_number(f"{_WEIGHT}.{name}".rstrip("."), value, least=0)


def split_weight(weight: Weight, targets: list[str]) -> dict[str, float]:
    """Return the weight of each target.

    Raises:
        InputError: The weights are of other targets.
    """
    if not isinstance(weight, dict):
        return dict.fromkeys(targets, weight / len(targets))
    if weight.keys() != set(targets):
        msg = (
            f"{_WEIGHT} names {', '.join(weight) or 'nothing'}, but the targets are "
            f"{', '.join(targets)}: name each target once, or set one number"
        )
        raise InputError(msg)
    return weight


class FeatureDistillation(nn.Module):
    """The path from the student's shared feature to the teacher's: fan-out and projectors.

    `targets` maps the targets' names to their numbers of channels. `sharing` is the part of a
    projector that they share. "none": each has its own. "trunk": one projector maps onto the
    concatenated targets. "output": the output of one projector is compared with every target. For
    the other arguments see DistillModule.

    Raises:
        InputError: A name does not exist, or the widths do not allow this sharing or projector.
    """

    def __init__(
        self,
        student_channels: int,
        targets: Mapping[str, int],
        projector: ProjectorFactory,
        sharing: Sharing,
        pooled: bool,
        distance: str,
        homogenization: HomogenizationSpec,
    ) -> None:
        super().__init__()
        widths = list(targets.values())
        if sharing == "output" and len(set(widths)) > 1:
            msg = (
                "model.init_args.sharing 'output' compares one output with every target, but their "
                f"widths are {widths}: choose trunk or none"
            )
            raise InputError(msg)
        outputs = {"none": widths, "trunk": [sum(widths)], "output": widths[:1]}[sharing]
        self.targets = tuple(targets)
        self.widths = widths
        self.sharing = sharing
        self.pooled = pooled
        self.distance = resolve("distance", distance, DISTANCES)
        self.classified = homogenization.classification
        self.projectors = nn.ModuleList(projector(student_channels, c) for c in outputs)
        if sharing == "trunk" or self.distance not in RELATIONS.values():
            self._require_equal_widths(student_channels, outputs)
        self.homogenizer = GradientHomogenizer(
            len(self.tasks),
            student_channels,
            weighting=homogenization.weighting,
            rotate=homogenization.rotate,
            rotation_init=homogenization.rotation_init,
            burn_in=homogenization.burn_in,
            rotation_interval=homogenization.rotation_interval,
        )
        # Rotating a pooled vector costs less than rotating a projector's weight.
        if sharing == "none" and not pooled:
            for task, own in enumerate(self.projectors, start=int(self.classified)):
                if layers := cast(Projector, own).input_layers():
                    self.homogenizer.fold_into(task, layers)

    def _require_equal_widths(self, student: int, outputs: list[int]) -> None:
        for projector, width in zip(self.projectors, outputs, strict=True):
            if isinstance(projector, Identity) and width != student:
                msg = (
                    f"an identity projector needs equal widths, but the student has {student} "
                    f"channels and the target {width}: choose another one, such as Linear, or a "
                    f"distance of relations: {', '.join(RELATIONS)}"
                )
                raise InputError(msg)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the homogenizer's tasks, in its order."""
        return ("classification", *self.targets) if self.classified else self.targets

    def forward(
        self,
        z: Tensor,
        targets: Mapping[str, Tensor],
        reuse_weights: bool = False,
        loss_scale: Tensor | None = None,
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Fan z `[B, C, h, w]` out to the tasks; further arguments are GradientHomogenizer's.

        Returns:
            The classification's view of z, or None if it is not a task; and the distance of each
            target's projected view to the teacher's feature `[B, C_k, h', w']`.
        """
        shared = pool(z) if self.pooled else z
        fanned = self.homogenizer(shared, reuse_weights, loss_scale)
        views = dict(zip(self.tasks, fanned, strict=True))
        distances = {}
        for k, name in enumerate(self.targets):
            projected = self.projectors[k if self.sharing == "none" else 0](views[name])
            if self.sharing == "trunk":
                projected = projected.split(self.widths, dim=1)[k]
            target = pool(targets[name]) if self.pooled else targets[name]
            distances[name] = self.distance(*match_size(projected, target))
        return views.get("classification"), distances

    def classification_view(self, z: Tensor) -> Tensor:
        """Return what the classifier sees of z at inference."""
        return self.homogenizer.view(z, 0) if self.classified else z
