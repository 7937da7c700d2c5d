from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from errors import InputError, look_up
from lightning_modules.detector import (
    Batch,
    Detector,
    classification_loss,
    load_checkpoint,
    unit_range,
)
from lightning_modules.homogenization import GradientHomogenizer
from lightning_modules.losses import (
    choose_distance,
    choose_logit_loss,
    match_size,
    pool,
    two_classes,
)
from lightning_modules.networks.branch import BranchSpec
from lightning_modules.networks.student import StudentNetwork
from lightning_modules.projectors import Linear, ProjectorFactory
from lightning_modules.teacher import TeacherModule

TRAINING_PARTS = ("teacher.", "projectors.", "homogenizer.")


@dataclass
class HomogenizationSpec:
    """How the tasks' gradients are combined at the shared feature.

    Attributes:
        weighting: A function of the Gramian by its name: sum, rotograd, …
        rotate: Learn one rotation of the shared feature for each task.
        rotation_init: Where the rotations start.
        rotation_lr: Step along their normalized gradient, at the peak of the schedule.
        burn_in: Steps after which RotoGrad takes its reference norms again.
        classification: Make the classification a task too: the first, with a view of its own.
    """

    weighting: str = "rotograd"
    rotate: bool = True
    rotation_init: Literal["identity", "haar"] = "identity"
    rotation_lr: float = 0.05
    burn_in: int = 20
    classification: bool = False


@dataclass
class LogitSpec:
    """Distillation of the teacher's fused logit.

    Attributes:
        loss: hinton or decoupled.
        weight: Beside the cross-entropy.
        temperature: T, by which both logits are divided.
    """

    loss: str = "hinton"
    weight: float = 1.0
    temperature: float = 4.0


class DistillModule(Detector):
    """Distils branches of a frozen teacher into a single-branch student (arXiv 2302.10437).

    With no targets it is the student alone, under the same data and schedule. Teacher, projectors
    and homogenizer are training-time parts: they are built when fitting begins, and a checkpoint
    can be tested without the teacher's file.

    Args:
        student: Backbone of the student, and what it sees.
        teacher: Checkpoint of a TeacherModule; needed where something is distilled.
        targets: Teacher branches to distil, by their names; all of them where not given.
        projector: Makes a projector from (student channels, target channels).
        sharing: What the targets share of a projector. "none": each has its own. "trunk": one onto
            the concatenated targets, the naive way. "output": one whose output is compared with
            every target.
        features: Distil maps, or pooled vectors.
        distance: Between projected and target feature, by its name.
        feature_weight: Weight of each target's distance beside the cross-entropy.
        logits: Distillation of the teacher's fused logit; none where not given.
        homogenization: How the tasks' gradients are combined.
        image_size: Side S of the crops, in pixels.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        warmup: Share of the steps in which the learning rate rises.

    Raises:
        InputError: A name does not exist.
    """

    def __init__(
        self,
        student: BranchSpec,
        teacher: str | None = None,
        targets: Sequence[str] | None = None,
        projector: ProjectorFactory = Linear,
        sharing: Literal["none", "trunk", "output"] = "none",
        features: Literal["map", "pooled"] = "map",
        distance: str = "normalized_mse",
        feature_weight: float = 1.0,
        logits: LogitSpec | None = None,
        homogenization: HomogenizationSpec = HomogenizationSpec(),  # noqa: B008 -- read only
        image_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
    ) -> None:
        super().__init__(image_size, learning_rate, weight_decay, warmup)
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.student = StudentNetwork(student, image_size)
        self.teacher_path = teacher
        self.targets = None if targets is None else tuple(targets)
        self.make_projector = projector
        self.sharing = sharing
        self.pooled = features == "pooled"
        self.distance = choose_distance(distance)
        self.feature_weight = feature_weight
        self.logit_spec = logits
        self.logit_loss = choose_logit_loss(logits.loss) if logits else None
        self.homogenization = homogenization
        self.teacher: TeacherModule | None = None
        self.homogenizer: GradientHomogenizer | None = None
        self.projectors = nn.ModuleList()

    @property
    def network(self) -> StudentNetwork:
        """The student, without its training-time parts."""
        return self.student

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Give the student's logit `[B]`, through the classification's rotation if it has one."""
        z = self.student.features(images)
        if self.homogenizer is not None and self.homogenization.classification:
            z = self.homogenizer.view(z, 0)
        return {"detector": self.student.classify(z)}

    def setup(self, stage: str) -> None:
        """Load the teacher and build projectors and homogenizer when fitting begins.

        Raises:
            InputError: Something is to be distilled, but there is no teacher, or not such a one.
        """
        distils = self.targets != () or self.logit_spec is not None
        if stage == "fit" and distils and self.teacher is None:
            self.teacher = self._load_teacher()
            self._build_training_parts(self.teacher.multi_branch.widths)
        super().setup(stage)

    def _load_teacher(self) -> TeacherModule:
        if self.teacher_path is None:
            msg = "distillation needs `model.init_args.teacher`: a teacher's checkpoint"
            raise InputError(msg)
        teacher: TeacherModule = load_checkpoint(TeacherModule, self.teacher_path)
        if teacher.image_size != self.image_size:
            msg = (
                f"{self.teacher_path}: a teacher for {teacher.image_size} px, but data.image_size "
                f"is {self.image_size}: give both the same"
            )
            raise InputError(msg)
        return teacher.requires_grad_(False).eval()

    def _build_training_parts(self, branches: dict[str, int]) -> None:
        if self.targets is None:
            self.targets = tuple(branches)
        widths = [look_up("teacher branch", target, branches) for target in self.targets]
        if not widths:
            return
        if self.sharing == "output" and len(set(widths)) > 1:
            msg = (
                f"sharing 'output' compares one output with all targets, but widths {widths} differ"
            )
            raise InputError(msg)
        outputs = {"none": widths, "trunk": [sum(widths)], "output": widths[:1]}[self.sharing]
        self.projectors.extend(self.make_projector(self.student.width, c) for c in outputs)
        spec = self.homogenization
        self.homogenizer = GradientHomogenizer(
            len(widths) + spec.classification,
            self.student.width,
            weighting=spec.weighting,
            rotate=spec.rotate,
            rotation_init=spec.rotation_init,
            burn_in=spec.burn_in,
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the homogenizer's tasks, in its order."""
        targets = self.targets or ()
        return ("classification", *targets) if self.homogenization.classification else targets

    def train(self, mode: bool = True) -> "DistillModule":
        """Set the mode of everything but the teacher, whose statistics stay frozen."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One backward through all tasks; the homogenizer combines them at z."""
        images = unit_range(batch["image"])
        features, teacher_logit = self.teach(images)
        z = self.student.features(images)
        z, views = self.fan_out(pool(z) if self.pooled else z)
        logit = self.student.classify(z)
        loss = classification_loss(logit, batch["label"])
        self.log("train/loss_classification", loss)
        for target, distance in self.distances(views, features).items():
            self.log(f"train/loss_{target}", distance)
            loss = loss + self.feature_weight * distance
        if self.logit_spec is not None and self.logit_loss is not None:
            classes = two_classes(logit), two_classes(teacher_logit)
            distance = self.logit_loss(*classes, batch["label"], self.logit_spec.temperature)
            self.log("train/loss_logit", distance)
            loss = loss + self.logit_spec.weight * distance
        self.log("train/loss", loss, prog_bar=True)
        self.manual_backward(loss)
        self.step()

    @torch.no_grad()
    def teach(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Give the teacher's feature of every target, and its fused logit `[B]`."""
        if self.teacher is None:
            return [], images.new_empty(0)
        features = self.teacher.multi_branch.features(images)
        logit = self.teacher.multi_branch.classify(features)["fused"]
        return [features[target] for target in self.targets or ()], logit

    def fan_out(self, z: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Give the classification's view of z, and every target's."""
        if self.homogenizer is None:
            return z, ()
        views = self.homogenizer(z)
        return (views[0], views[1:]) if self.homogenization.classification else (z, views)

    def distances(self, views: Sequence[Tensor], features: list[Tensor]) -> dict[str, Tensor]:
        """Distance of each target's projected view to the teacher's feature."""
        targets = [pool(feature) if self.pooled else feature for feature in features]
        if self.sharing == "none":
            projected = [p(view) for p, view in zip(self.projectors, views, strict=True)]
        else:
            projected = [self.projectors[0](view) for view in views]
        if self.sharing == "trunk":
            widths = [target.shape[1] for target in targets]
            projected = [x.split(widths, dim=1)[k] for k, x in enumerate(projected)]
        return {
            name: self.distance(*match_size(student, teacher))
            for name, student, teacher in zip(self.targets or (), projected, targets, strict=True)
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
        if self.homogenizer is not None:
            self.homogenizer.step_rotations(self.homogenization.rotation_lr * factor**2)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the frozen teacher out: it has a file of its own."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {k: v for k, v in state.items() if not k.startswith("teacher.")}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Fit the checkpoint to the parts there are, so that loading stays strict.

        Without a homogenizer the classification's rotation is folded into the classifier's weight.
        """
        state = checkpoint["state_dict"]
        if self.teacher is not None:
            state |= {f"teacher.{k}": v for k, v in self.teacher.state_dict().items()}
        elif (rotations := state.get("homogenizer.rotations")) is not None:
            if self.homogenization.classification:
                weight = state["student.classifier.weight"]
                state["student.classifier.weight"] = weight @ rotations[0].to(weight)
            state = {k: v for k, v in state.items() if not k.startswith(TRAINING_PARTS)}
        checkpoint["state_dict"] = state
