from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from datamodules.batch import Batch
from errors import InputError, require_number
from lightning_modules.detector import Detector, unit_range
from lightning_modules.feature_distillation import (
    FeatureDistillation,
    HomogenizationSpec,
    Sharing,
    check_weight,
    split_weight,
)
from lightning_modules.frozen_teacher import LOGIT, FrozenTeacher, FrozenTeacherSpec
from lightning_modules.losses import (
    DISTANCES,
    LOGIT_LOSSES,
    LogitSpec,
    classification_loss,
    two_classes,
)
from lightning_modules.networks.backbone import BranchSpec
from lightning_modules.networks.student import StudentNetwork
from lightning_modules.projectors import Linear, ProjectorFactory
from lightning_modules.registry import resolve
from lightning_modules.teachers import TeacherSpec, check_teachers

CLASSIFIER = "student.classifier.weight"
ROTATIONS = "distillation.homogenizer.rotations"


class DistillModule(Detector):
    """Distils branches of a frozen teacher into a single-branch student (arXiv 2302.10437).

    Without targets it trains the student alone, with the same data and schedule. Teacher,
    projectors and homogenizer are training-time parts. They are built when fitting starts, so that
    a checkpoint can be tested without the teacher's file.

    Args:
        student: Backbone and front-end of the student.
        teacher: Checkpoint of a TeacherModule; required unless the student is trained alone.
        teachers: Instead of `teacher`, teachers of any source by name.
        targets: Names of the teacher's branches to distil, "<teacher>.<branch>" of one of
            `teachers`; by default all of them.
        projector: Builds a projector from (student channels, target channels).
        sharing: Which part of a projector the targets share: nothing, all but the outputs of the
            last layer ("trunk"), or all of it ("output").
        features: Distil maps, or pooled vectors.
        stage: timm's number of the feature map of student and teacher to distil; by default the
            last.
        distance: Distance between projected feature and target: normalized_mse, cosine, smooth_l1,
            log_sum, attention_transfer, rkd, sp, pkt, or the class path of a function.
        distillation_weight: Total weight of the targets' distances in addition to the
            cross-entropy, split evenly over the targets; or the weight of each target, by name.
        logits: Distillation of the teacher's logit, or of the mean over the teachers that have
            one; null for none.
        homogenization: How the tasks' gradients are combined.
        frozen_teacher: How the teacher computes the targets: precision and cache.
        training: Options of Detector.

    Raises:
        InputError: A value is out of range, or a name does not exist.
    """

    def __init__(
        self,
        student: BranchSpec,
        teacher: str | None = None,
        teachers: dict[str, TeacherSpec] | None = None,
        targets: Sequence[str] | None = None,
        projector: ProjectorFactory = Linear,
        sharing: Sharing = "none",
        features: Literal["map", "pooled"] = "map",
        stage: int | None = None,
        distance: str = "normalized_mse",
        distillation_weight: float | dict[str, float] = 1.0,
        logits: LogitSpec | None = None,
        homogenization: HomogenizationSpec = HomogenizationSpec(),  # noqa: B008 -- read only
        frozen_teacher: FrozenTeacherSpec = FrozenTeacherSpec(),  # noqa: B008 -- read only
        **training: Any,
    ) -> None:
        super().__init__(**training)
        # The teachers' paths are not stored: a checkpoint loads without them.
        self.save_hyperparameters(ignore=["teacher", "teachers"])
        homogenization.check()
        if stage is not None and (homogenization.classification or self.backend):
            option = "compile" if self.backend else "homogenization.classification"
            msg = (
                f"model.init_args.{option} with stage {stage}: it needs the last feature map: use "
                "one of the two"
            )
            raise InputError(msg)
        check_weight(distillation_weight)
        require_number("model.init_args.frozen_teacher.limit_gb", frozen_teacher.limit_gb, above=0)
        if logits is not None:
            require_number("model.init_args.logits.weight", logits.weight, least=0)
            require_number("model.init_args.logits.temperature", logits.temperature, above=0)
        self.student = StudentNetwork(student, self.image_size, stage)
        self.homogenization = homogenization
        self.distillation_weight = distillation_weight
        self.target_weights: dict[str, float] = {}
        self.logit_spec = logits
        self.logit_loss = resolve("logit loss", (logits or LogitSpec()).loss, LOGIT_LOSSES)
        self.teachers = check_teachers(teacher, teachers)
        distils_features = targets is None or len(targets) > 0
        self.distils = distils_features or logits is not None
        pooled = features == "pooled"
        self._load_teacher = partial(
            FrozenTeacher,
            spec=frozen_teacher,
            image_size=self.image_size,
            targets=targets,
            logit=logits is not None,
            stage=stage,
            pooled=pooled,
        )
        self._build_distillation = partial(
            FeatureDistillation,
            projector=projector,
            sharing=sharing,
            pooled=pooled,
            distance=distance,
            homogenization=homogenization,
        )
        # Tried before there are ranks, because a distance of relations gathers from all of them.
        compare = resolve("distance", distance, DISTANCES)
        if distils_features and pooled:
            compare(torch.ones(1, 1), torch.ones(1, 1))
        # Launchers seed the ranks again; the training-time parts continue from this state instead.
        self._random_state = torch.get_rng_state()
        self.teacher: FrozenTeacher | None = None
        self.distillation: FeatureDistillation | None = None

    @property
    def network(self) -> StudentNetwork:
        """The student, without the training-time parts."""
        return self.student

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        """Compute the student's logit `[B]` from the classification's view of z."""
        z = self.student.features(images)[1]
        if self.distillation is not None:
            z = self.distillation.classification_view(z)
        return {"detector": self.student.classify(z)}

    def prepare_data(self) -> None:
        """Build the training-time parts before callbacks write files, so that errors come first."""
        if self.trainer.state.fn == TrainerFn.FITTING:
            self._build()

    def setup(self, stage: str) -> None:
        """Build the training-time parts when fitting starts.

        Raises:
            InputError: The teacher is missing, or does not have what is to be distilled.
        """
        if stage == "fit":
            self._build()
        super().setup(stage)

    def on_train_start(self) -> None:
        """Move the teacher to the device, compile it and open its cache."""
        if self.teacher is not None:
            reference = next(self.student.parameters())
            self.teacher.start(reference, self.backend)
            data: Any = self.trainer.datamodule  # type: ignore[attr-defined]  # set by Trainer.fit
            shared = self.teacher.spec.cache == "shared"
            views = data.fixed_views(self.trainer.max_epochs if shared else None)
            self.teacher.open_cache(views, str(self.trainer.precision))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Make one step of the method; docs/method.md has the equations."""
        images = unit_range(batch["image"])
        with self.accumulation(batch_idx) as (first, last):
            # 1. The frozen teacher's targets, on the same augmented views.
            targets = self.teacher.targets(images, batch["sample"]) if self.teacher else {}
            # 2. The student's shared feature z, and one rotated view of it per task.
            z, deepest = self.student.features(images)
            view, distances = None, {}
            if self.distillation is not None:
                view, distances = self.distillation(z, targets, not first, self.loss_scale())
            # 3. The losses: classification, distances of projected views to targets, logit.
            logit = self.student.classify(deepest if view is None else view)
            losses = self._losses(batch, logit, distances, targets)
            total = torch.stack(list(losses.values())).sum()
            # 4. One backward: the fan-out combines the tasks' gradients at z.
            self.accumulate_gradients(losses, total)
        # 5. The optimizer's step, then the rotations'.
        if last:
            self._step_rotations(self.step_optimizer())
        return total.detach()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Outside of fitting, drop the training-time parts of a checkpoint.

        The classification's rotation is folded into the classifier's weight, exactly.
        """
        if self.distillation is not None:
            return
        state = checkpoint["state_dict"]
        rotations = state.get(ROTATIONS)
        if self.homogenization.classification and rotations is not None:
            state[CLASSIFIER] = state[CLASSIFIER] @ rotations[0].to(state[CLASSIFIER])
        kept = {k: v for k, v in state.items() if not k.startswith("distillation.")}
        checkpoint["state_dict"] = kept

    def _losses(
        self, batch: Batch, logit: Tensor, distances: dict[str, Tensor], targets: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        label = batch["label"]
        losses = {"classification": classification_loss(logit, label)}
        losses |= {name: self.target_weights[name] * d for name, d in distances.items()}
        if self.logit_spec is not None:
            classes = two_classes(logit), two_classes(targets[LOGIT])
            distance = self.logit_loss(*classes, label, self.logit_spec.temperature)
            losses[LOGIT] = self.logit_spec.weight * distance
        return losses

    def _step_rotations(self, share: float | None) -> None:
        if self.distillation is None:
            return
        homogenizer = self.distillation.homogenizer
        if share is None:
            homogenizer.discard_step()
            return
        # The leader of a Stackelberg game: its rate vanishes faster (RotoGrad, section 5).
        with torch.autocast(self.device.type, enabled=False):
            homogenizer.step_rotations(self.homogenization.rotation_lr * share**2)

    def _build(self) -> None:
        if not self.distils or self.teacher is not None:
            return
        if not self.teachers:
            msg = "distillation needs `model.init_args.teacher`: a teacher's checkpoint"
            raise InputError(msg)
        self.teacher = self._load_teacher(self.teachers)
        if self.teacher.widths:
            self.target_weights = split_weight(self.distillation_weight, list(self.teacher.widths))
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(self._random_state)
                self.distillation = self._build_distillation(
                    self.student.width, self.teacher.widths
                )
            # All ranks compute the same rotations; DDP would send 2 C² numbers in every step.
            self._ddp_params_and_buffers_to_ignore = [ROTATIONS]
