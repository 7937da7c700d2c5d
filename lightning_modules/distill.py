from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from errors import InputError
from lightning_modules.detector import (
    Batch,
    Detector,
    classification_loss,
    load_checkpoint,
    unit_range,
)
from lightning_modules.homogenization import GradientHomogenizer
from lightning_modules.losses import match_size, normalized_mse
from lightning_modules.networks.backbone import BackboneSpec
from lightning_modules.networks.dual_branch import BRANCHES
from lightning_modules.networks.student import StudentNetwork
from lightning_modules.projectors import Linear, ProjectorFactory
from lightning_modules.teacher import TeacherModule

TRAINING_PARTS = ("teacher.", "projectors.", "homogenizer.")


class DistillModule(Detector):
    """Distils branches of a frozen teacher into a single-branch student (arXiv 2302.10437).

    With no targets it is the student alone, under the same data and schedule. Teacher, projectors
    and homogenizer are training-time parts: they are built when fitting begins, and a checkpoint
    can be tested without the teacher's file.

    Args:
        student: Backbone of the student.
        teacher: Checkpoint of a TeacherModule; needed where there are targets.
        targets: Teacher branches to distil, of "spatial" and "frequency".
        projector: Makes a projector from (student channels, target channels).
        projectors_shared: One projector onto the concatenated targets instead of one for each:
            the naive way.
        weighting: How the targets' gradients are combined at the shared feature.
        rotate: Learn one rotation of the shared feature for each target.
        rotation_init: Where the rotations start.
        rotation_lr: Step along the rotations' normalized gradient, at the peak of the schedule.
        burn_in: Steps after which RotoGrad takes its reference norms again.
        feature_weight: Weight of each target's loss beside the cross-entropy.
        image_size: Side S of the crops, in pixels.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        warmup: Share of the steps in which the learning rate rises.
    """

    def __init__(
        self,
        student: BackboneSpec,
        teacher: str | None = None,
        targets: Sequence[Literal["spatial", "frequency"]] = BRANCHES,  # type: ignore[assignment]
        projector: ProjectorFactory = Linear,
        projectors_shared: bool = False,
        weighting: str = "rotograd",
        rotate: bool = True,
        rotation_init: Literal["identity", "haar"] = "identity",
        rotation_lr: float = 0.05,
        burn_in: int = 20,
        feature_weight: float = 1.0,
        image_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
    ) -> None:
        super().__init__(image_size, learning_rate, weight_decay, warmup)
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.student = StudentNetwork(student)
        self.teacher_path = teacher
        self.targets = tuple(targets)
        self.make_projector = projector
        self.projectors_shared = projectors_shared
        self.rotation_lr = rotation_lr
        self.feature_weight = feature_weight
        self.homogenizer_args: dict[str, Any] = {
            "weighting": weighting,
            "rotate": rotate,
            "rotation_init": rotation_init,
            "burn_in": burn_in,
        }
        self.homogenizer: GradientHomogenizer | None = None

    @property
    def network(self) -> StudentNetwork:
        """The student, without its training-time parts."""
        return self.student

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Give the student's logit `[B]`."""
        return {"detector": self.student(images)}

    def setup(self, stage: str) -> None:
        """Load the teacher and build projectors and homogenizer when fitting begins.

        Raises:
            InputError: There are targets but no teacher.
        """
        if stage == "fit" and self.targets and self.homogenizer is None:
            self._build_training_parts()
        super().setup(stage)

    def _build_training_parts(self) -> None:
        if self.teacher_path is None:
            msg = f"distilling {', '.join(self.targets)} needs `teacher`: a teacher's checkpoint"
            raise InputError(msg)
        self.teacher: TeacherModule = load_checkpoint(TeacherModule, self.teacher_path)
        self.teacher.requires_grad_(False).eval()
        widths = [self.teacher.dual_branch.widths[target] for target in self.targets]
        outputs = [sum(widths)] if self.projectors_shared else widths
        self.projectors = nn.ModuleList(
            self.make_projector(self.student.width, width) for width in outputs
        )
        self.homogenizer = GradientHomogenizer(
            len(self.targets), self.student.width, **self.homogenizer_args
        )

    def train(self, mode: bool = True) -> "DistillModule":
        """Set the mode of everything but the teacher, whose statistics stay frozen."""
        super().train(mode)
        if self.homogenizer is not None:
            self.teacher.eval()
        return self

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One backward through all tasks; the homogenizer combines them at z."""
        images = unit_range(batch["image"])
        z = self.student.features(images)
        loss = classification_loss(self.student.classify(z), batch["label"])
        self.log("train/loss_classification", loss)
        for target, distance in self.distances(z, images).items():
            self.log(f"train/loss_{target}", distance)
            loss = loss + self.feature_weight * distance
        self.log("train/loss", loss, prog_bar=True)
        self.manual_backward(loss)
        self.step()

    def distances(self, z: Tensor, images: Tensor) -> dict[str, Tensor]:
        """Distance of each projected view of z to its target of the teacher."""
        if self.homogenizer is None:
            return {}
        with torch.no_grad():
            features = self.teacher.dual_branch.features(images)
        targets = [features[name] for name in self.targets]
        views = self.homogenizer(z)
        if self.projectors_shared:
            widths = [target.shape[1] for target in targets]
            projected = [
                self.projectors[0](view).split(widths, dim=1)[k] for k, view in enumerate(views)
            ]
        else:
            projected = [p(view) for p, view in zip(self.projectors, views, strict=True)]
        return {
            name: normalized_mse(*match_size(student, teacher))
            for name, student, teacher in zip(self.targets, projected, targets, strict=True)
        }

    def step(self) -> None:
        """Step the optimizer and its schedule, then the rotations.

        The rotations lead a Stackelberg game (RotoGrad, section 5): their learning rate falls with
        the square of the network's schedule, so it vanishes faster.
        """
        optimizer: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        factor = schedule.get_last_lr()[0] / self.learning_rate
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if self.homogenizer is not None and self.homogenizer.rotate:
            self.homogenizer.step_rotations(self.rotation_lr * factor**2)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the frozen teacher out: it has a file of its own."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {k: v for k, v in state.items() if not k.startswith("teacher.")}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Fit the checkpoint to the parts there are, so that loading stays strict."""
        state = checkpoint["state_dict"]
        if self.homogenizer is None:
            state = {k: v for k, v in state.items() if not k.startswith(TRAINING_PARTS)}
        else:
            state |= {f"teacher.{k}": v for k, v in self.teacher.state_dict().items()}
        checkpoint["state_dict"] = state
