import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from errors import InputError, look_up
from lightning_modules.detector import (
    Batch,
    Detector,
    classification_loss,
    load_checkpoint,
    unit_range,
)
from lightning_modules.feature_distillation import (
    FeatureDistillation,
    HomogenizationSpec,
    Sharing,
)
from lightning_modules.frozen_teacher import Lesson, Teaching, TeachingSpec
from lightning_modules.losses import choose_distance, choose_logit_loss, two_classes
from lightning_modules.networks.backbone import Stage
from lightning_modules.networks.branch import BranchSpec
from lightning_modules.networks.student import StudentNetwork
from lightning_modules.projectors import Linear, ProjectorFactory
from lightning_modules.teacher import TeacherModule

TRAINING_PARTS = ("teacher.", "distillation.")


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
        sharing: What the targets share of a projector: nothing, all but the last layer's outputs
            ("trunk", the naive way), or all of it ("output").
        features: Distil maps, or pooled vectors.
        stage: Number of timm's feature map, or name of the layer, of student and teacher to distil
            at; the last where not given.
        distance: Between projected and target feature, by its name.
        feature_weight: Weight of each target's distance beside the cross-entropy.
        logits: Distillation of the teacher's fused logit; none where not given.
        homogenization: How the tasks' gradients are combined.
        teaching: How the frozen teacher is run: its precision, and a cache of its features.
        image_size: Side S of the crops, in pixels.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        warmup: Share of the steps in which the learning rate rises.
        accumulate: Batches whose gradients are averaged to one optimizer step; the tasks are
            weighed once for each step, by the gradients of its first batch.
        gradient_clip: Largest norm of all gradients together; not clipped where not given.
        ema: Decay of the average of the weights over the steps, which is then what is validated
            and saved; not averaged where not given.
        compile: Backend of torch.compile for every branch, inductor for one; not compiled where
            not given.

    Raises:
        InputError: A name does not exist.
    """

    def __init__(
        self,
        student: BranchSpec,
        teacher: str | None = None,
        targets: Sequence[str] | None = None,
        projector: ProjectorFactory = Linear,
        sharing: Sharing = "none",
        features: Literal["map", "pooled"] = "map",
        stage: Stage | None = None,
        distance: str = "normalized_mse",
        feature_weight: float = 1.0,
        logits: LogitSpec | None = None,
        homogenization: HomogenizationSpec = HomogenizationSpec(),  # noqa: B008 -- read only
        teaching: TeachingSpec = TeachingSpec(),  # noqa: B008 -- read only
        image_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        accumulate: int = 1,
        gradient_clip: float | None = None,
        ema: float | None = None,
        compile: str | None = None,
    ) -> None:
        super().__init__(
            image_size, learning_rate, weight_decay, warmup, accumulate, gradient_clip, ema, compile
        )
        # A checkpoint needs no teacher, and is not to say where on this machine it lay.
        self.save_hyperparameters(ignore="teacher")
        self.student = StudentNetwork(student, image_size, stage)
        self.teacher_path = teacher
        self.targets = None if targets is None else tuple(targets)
        self.make_distillation = partial(
            FeatureDistillation,
            projector=projector,
            sharing=sharing,
            pooled=features == "pooled",
            distance=distance,
            homogenization=homogenization,
        )
        choose_distance(distance)  # a misspelt name need not wait for the teacher
        self.feature_weight = feature_weight
        self.logit_spec = logits
        self.logit_loss = choose_logit_loss(logits.loss) if logits else None
        self.homogenization = homogenization
        self.pooled = features == "pooled"
        self.teaching = Teaching(teaching, self.teach)
        if homogenization.classification and stage is not None:
            msg = (
                f"homogenization.classification with stage {stage}: its rotation can be folded "
                "into the student at the last stage only: leave one of them out"
            )
            raise InputError(msg)
        if compile is not None and stage is not None:
            msg = (
                f"model.init_args.compile with stage {stage}: a branch that is cut is not one "
                "function to compile: leave one of them out"
            )
            raise InputError(msg)
        # Launching ranks seeds anew: what is built when fitting begins goes on from here instead.
        self._random_state = torch.get_rng_state()
        self.teacher: TeacherModule | None = None
        self.distillation: FeatureDistillation | None = None

    @property
    def network(self) -> StudentNetwork:
        """The student, without its training-time parts."""
        return self.student

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Give the student's logit `[B]`, through the classification's rotation if it has one."""
        z = self.student.features(images)
        if self.distillation is not None:
            z = self.distillation.classification_view(z)
        return {"detector": self.student.classify(z)}

    def setup(self, stage: str) -> None:
        """Load the teacher and build projectors and homogenizer when fitting begins.

        Raises:
            InputError: Something is to be distilled, but there is no teacher, or not such a one.
        """
        distils = self.targets != () or self.logit_spec is not None
        if stage == "fit" and distils and self.teacher is None:
            self.teacher = self._load_teacher()
            widths = self.teacher.multi_branch.widths_at(self.student.stage)
            names = tuple(widths) if self.targets is None else self.targets
            targets = {name: look_up("teacher branch", name, widths) for name in names}
            if targets:
                with torch.random.fork_rng(devices=[]):
                    torch.set_rng_state(self._random_state)
                    self.distillation = self.make_distillation(self.student.width, targets)
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
        teacher.setup("predict")
        return teacher.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "DistillModule":
        """Set the mode of everything but the teacher, whose statistics stay frozen."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One backward through all tasks; the homogenizer combines them at z."""
        if self.distillation is not None:
            self.distillation.homogenizer.reuse_weights = batch_idx % self.accumulate > 0
        return super().training_step(batch, batch_idx)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy, and the distance of every target's view to what the teacher sees."""
        images = unit_range(batch["image"])
        lesson: Lesson = {}
        if self.teacher is not None:
            lesson = self.teaching.lesson(images, batch["row"], batch["view"])
        z, distances = self.student.features(images), {}
        if self.distillation is not None:
            z, distances = self.distillation(z, lesson)
        logit = self.student.classify(z)
        losses = {"classification": classification_loss(logit, batch["label"])}
        losses |= {name: self.feature_weight * distance for name, distance in distances.items()}
        if self.logit_spec is not None and self.logit_loss is not None:
            classes = two_classes(logit), two_classes(lesson["logit"])
            distance = self.logit_loss(*classes, batch["label"], self.logit_spec.temperature)
            losses["logit"] = self.logit_spec.weight * distance
        self.log_dict({f"train/loss_{name}": loss for name, loss in losses.items()})
        return torch.stack(list(losses.values())).sum()

    def on_train_start(self) -> None:
        """Choose how the teacher is run, by measurement where that is left open."""
        if self.teacher is None:
            return
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.fit
        share = data.batch_size // self.trainer.world_size
        size = (share, 3, self.image_size, self.image_size)
        images = torch.rand(size, device=self.device).to(memory_format=torch.channels_last)
        if self.teaching.choice is None:
            choice = self.teaching.choose(images, data.num_views)
            self.teaching.choice = self.trainer.strategy.broadcast(choice)
            self.print(f"teacher: {self.teaching.choice}")
        key = (self._teacher_hash(), *data.view_key)
        self.teaching.begin(self.teaching.choice, images[:1], data.num_views, key)

    def _teacher_hash(self) -> str:
        assert self.teacher_path is not None
        return hashlib.sha256(Path(self.teacher_path).read_bytes()).hexdigest()

    def teach(self, images: Tensor) -> Lesson:
        """Give the teacher's feature of every target, and its fused "logit" `[B]` if it is used."""
        assert self.teacher is not None
        network, lesson = self.teacher.multi_branch, {}
        targets = () if self.distillation is None else self.distillation.targets
        last = self.student.stage is None
        # The logit is of all branches' last maps: where these are wanted anyway, they are run once.
        wanted = None if last and self.logit_spec is not None else targets
        features = network.features(images, self.student.stage, wanted)
        for name in targets:
            feature = features[name]
            lesson[name] = feature.mean((2, 3), keepdim=True) if self.pooled else feature
        if self.logit_spec is not None:
            whole = features if last else network.features(images)
            lesson["logit"] = network.classify(whole)["fused"]
        return lesson

    def step(self, optimizer: Any) -> None:
        """Step the optimizer and its schedule, then the rotations.

        The rotations lead a Stackelberg game (RotoGrad, section 5): their learning rate falls with
        the square of the network's schedule, so it vanishes faster.
        """
        factor = optimizer.param_groups[0]["lr"] / self.learning_rate
        super().step(optimizer)
        if self.distillation is not None:
            lr = self.homogenization.rotation_lr * factor**2
            self.distillation.homogenizer.step_rotations(lr)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave the frozen teacher out: it has a file of its own."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {k: v for k, v in state.items() if not k.startswith("teacher.")}
        checkpoint["teaching"] = self.teaching.choice

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Fit the checkpoint to the parts there are, so that loading stays strict.

        Without a homogenizer the classification's rotation is folded into the classifier's weight.
        """
        state = checkpoint["state_dict"]
        self.teaching.choice = checkpoint.get("teaching")
        if self.teacher is not None:
            state |= {f"teacher.{k}": v for k, v in self.teacher.state_dict().items()}
        elif (rotations := state.get("distillation.homogenizer.rotations")) is not None:
            if self.homogenization.classification:
                weight = state["student.classifier.weight"]
                state["student.classifier.weight"] = weight @ rotations[0].to(weight)
            state = {k: v for k, v in state.items() if not k.startswith(TRAINING_PARTS)}
        checkpoint["state_dict"] = state
