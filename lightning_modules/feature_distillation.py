from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from torch import Tensor, nn

from errors import InputError
from lightning_modules.homogenization import GradientHomogenizer
from lightning_modules.losses import choose_distance, match_size, pool
from lightning_modules.projectors import Projector, ProjectorFactory

Sharing = Literal["none", "trunk", "output"]


@dataclass
class HomogenizationSpec:
    """How the tasks' gradients are combined at the shared feature.

    Attributes:
        weighting: A function of the Gramian by its name: sum, rotograd, …
        rotate: Learn one rotation of the shared feature for each task.
        rotation_init: Where the rotations start.
        rotation_lr: Step along their normalized gradient, at the peak of the schedule.
        rotation_interval: Steps after which they move; of maps with 256 channels and more, 8 keeps
            their cost at a few per cent.
        burn_in: Steps after which RotoGrad takes its reference norms again.
        classification: Make the classification a task too: the first, with a view of its own.
    """

    weighting: str = "rotograd"
    rotate: bool = True
    rotation_init: Literal["identity", "haar"] = "identity"
    rotation_lr: float = 0.05
    rotation_interval: int = 1
    burn_in: int = 20
    classification: bool = False


class FeatureDistillation(nn.Module):
    """What stands between the student's shared feature and the teacher's: fan-out, projectors.

    Args:
        student_channels: Channels C of the shared feature z.
        targets: Channels of each target, by its name.
        projector: Makes a projector from (student channels, target channels).
        sharing: What the targets share of a projector. "none": each has its own. "trunk": one onto
            the concatenated targets, the naive way. "output": one whose output is compared with
            every target.
        pooled: Compare vectors in place of maps.
        distance: Between projected and target feature, by its name.
        homogenization: How the tasks' gradients are combined.

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
            msg = f"sharing 'output' compares one output with all targets, of widths {widths}"
            raise InputError(msg)
        outputs = {"none": widths, "trunk": [sum(widths)], "output": widths[:1]}[sharing]
        self.targets = tuple(targets)
        self.widths = widths
        self.sharing = sharing
        self.pooled = pooled
        self.distance = choose_distance(distance)
        self.classified = homogenization.classification
        self.projectors = nn.ModuleList(projector(student_channels, c) for c in outputs)
        self.homogenizer = GradientHomogenizer(
            len(self.tasks),
            student_channels,
            weighting=homogenization.weighting,
            rotate=homogenization.rotate,
            rotation_init=homogenization.rotation_init,
            burn_in=homogenization.burn_in,
            rotation_interval=homogenization.rotation_interval,
        )
        # A pooled vector is rotated at less cost than a projector's weight.
        if sharing == "none" and not pooled:
            for task, own in enumerate(self.projectors, start=int(self.classified)):
                if layers := cast(Projector, own).input_layers():
                    self.homogenizer.fold_into(task, layers)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the homogenizer's tasks, in its order."""
        return ("classification", *self.targets) if self.classified else self.targets

    def forward(
        self, z: Tensor, features: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Fan z out to the tasks.

        Args:
            z: The student's shared feature, `[B, C, h, w]`.
            features: The teacher's, `[B, C_k, h', w']`, by target.

        Returns:
            What the classification is to see: its view, or z itself where it is no task; and the
            distance of each target's projected view to the teacher's feature.
        """
        shared = pool(z) if self.pooled else z
        views = dict(zip(self.tasks, self.homogenizer(shared), strict=True))
        distances = {}
        for k, target in enumerate(self.targets):
            projected = self.projectors[k if self.sharing == "none" else 0](views[target])
            if self.sharing == "trunk":
                projected = projected.split(self.widths, dim=1)[k]
            goal = pool(features[target]) if self.pooled else features[target]
            distances[target] = self.distance(*match_size(projected, goal))
        return views.get("classification", z), distances

    def classification_view(self, z: Tensor) -> Tensor:
        """Give what the classification is to see of z, at inference."""
        return self.homogenizer.view(z, 0) if self.classified else z
