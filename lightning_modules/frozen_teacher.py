from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.face_forensics import FixedViews
from errors import InputError, look_up
from lightning_modules.target_cache import TargetCache, open_caches
from lightning_modules.teachers import TeacherSpec, load_teacher

LOGIT = "logit"
_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class FrozenTeacherSpec:
    """How the frozen teacher computes the targets.

    Attributes:
        precision: Precision of the teacher; float32 follows the precision of the training.
        cache: Keep the targets on disk. on: in float16, for the epochs that show the same views
            again; needs data.views. shared: in float32, for further students of one data seed,
            which train for as many epochs.
        folder: Folder of the caches, preferably on a local disk.
        limit_gb: Maximum size of all caches in the folder, in 10^9 bytes.
    """

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    cache: Literal["off", "on", "shared"] = "off"
    folder: str = "data/teacher-cache"
    limit_gb: float = 20.0


class FrozenTeacher:
    """Computes the targets of a distillation: trained teachers in evaluation mode, not trained.

    It is no module, so it is neither trained, moved, synchronized nor saved with the student.

    Args:
        teachers: Where each teacher comes from, by name. The targets of the teacher "" have the
            names of its branches, those of others "<teacher>.<branch>".

    For the other arguments see DistillModule; `widths` are the targets' numbers of channels.

    Raises:
        InputError: A teacher cannot be loaded, or lacks a branch, the stage or a logit.
    """

    def __init__(
        self,
        teachers: Mapping[str, TeacherSpec],
        spec: FrozenTeacherSpec,
        image_size: int,
        targets: Sequence[str] | None,
        logit: bool,
        stage: int | None,
        pooled: bool,
    ) -> None:
        self.teachers = {
            name: load_teacher(source, image_size, stage) for name, source in teachers.items()
        }
        self.spec = spec
        self.image_size = image_size
        self.logit = logit
        self.stage = stage
        self.pooled = pooled
        available = {
            f"{name}.{branch}".lstrip("."): (name, branch)
            for name, teacher in self.teachers.items()
            for branch in teacher.widths
        }
        self.branches = {
            target: look_up("teacher branch", target, available)
            for target in (available if targets is None else targets)
        }
        for name, teacher in self.teachers.items():
            teacher.select([branch for owner, branch in self.branches.values() if owner == name])
        self.widths = {
            target: self.teachers[name].widths[branch]
            for target, (name, branch) in self.branches.items()
        }
        if logit and not any(teacher.has_logit for teacher in self.teachers.values()):
            msg = (
                f"no logit of being fake: {', '.join(teachers)} has none to distil: set "
                "model.init_args.logits to null"
            )
            raise InputError(msg)
        self.caches: dict[str, TargetCache] = {}

    def start(self, like: Tensor, backend: str | None) -> None:
        """Move to the device and data type of a tensor, and compile the branches."""
        self.like = like
        for teacher in self.teachers.values():
            teacher.to(like)
            if backend is not None:
                teacher.compile_for(backend)

    def open_cache(self, views: FixedViews | None, precision: str) -> None:
        """Open the cache of the targets, if the spec asks for one.

        Args:
            views: The training views that recur; None if none do.
            precision: The Trainer's precision.

        Raises:
            InputError: No view recurs, or the cache cannot be opened.
        """
        if self.spec.cache == "off":
            return
        if views is None:
            msg = (
                f"model.init_args.frozen_teacher.cache is {self.spec.cache}, but every epoch has "
                "new views: set data.views to their number, e.g. 2, or set the cache to off"
            )
            raise InputError(msg)
        key = {
            "teachers": {name: teacher.fingerprint for name, teacher in self.teachers.items()},
            "stage": self.stage,
            "pooled": self.pooled,
            "frozen_teacher.precision": self.spec.precision,
            "trainer.precision": precision,
            **views.key,
        }
        images = torch.zeros(1, 3, self.image_size, self.image_size).to(self.like)
        shapes = {
            name: tuple(t.shape[1:]) for name, t in self._compute(images, self._kept()).items()
        }
        limit = int(self.spec.limit_gb * 1e9)
        dtype = np.float32 if self.spec.cache == "shared" else np.float16
        self.caches = open_caches(Path(self.spec.folder), key, views.shape, shapes, limit, dtype)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the targets, "logit" included."""
        return (*self.branches, LOGIT) if self.logit else tuple(self.branches)

    def _kept(self) -> tuple[str, ...]:
        """Return the targets to cache: the student's own, and the logit if it costs nearly nothing.

        The last maps of all branches are nearly the whole teacher; with the logit in the cache, a
        further student that distils it need not run the teacher again.
        """
        available = sum(len(teacher.widths) for teacher in self.teachers.values())
        whole = self.stage is None and len(self.branches) == available
        more = self.spec.cache == "shared" and whole and not self.logit
        return (*self.names, LOGIT) if more else self.names

    def targets(self, images: Tensor, samples: Tensor) -> dict[str, Tensor]:
        """Compute the targets of a batch, or read them from the cache.

        Args:
            images: Images in [0, 1], `[B, 3, S, S]`.
            samples: Number of each sample among all training samples, `[B]`.

        Returns:
            The feature `[B, C, h, w]` of each target, and the fused "logit" `[B]`.
        """
        if not self.caches:
            return self._compute(images, self.names)
        numbers = samples.cpu().numpy()
        missing = [name for name in self.names if not self.caches[name].holds(numbers)]
        if missing and set(self.branches) <= set(missing):
            missing = list(self.caches)
        for name, target in self._compute(images, missing).items():
            self.caches[name].write(numbers, target)
        return {name: self.caches[name].read(numbers, images) for name in self.names}

    def _compute(self, images: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """Compute these targets, running each branch once."""
        half = _HALF.get(self.spec.precision)
        wanted = {name: self.branches[name] for name in names if name != LOGIT}
        targets, logits = {}, []
        device = images.device.type
        with torch.inference_mode(), torch.autocast(device, half) if half else nullcontext():
            for owner, teacher in self.teachers.items():
                own = {branch: target for target, (name, branch) in wanted.items() if name == owner}
                needs_logit = LOGIT in names and teacher.has_logit
                if not own and not needs_logit:
                    continue
                maps, logit = teacher.compute(images, list(own), needs_logit)
                for branch, feature in maps.items():
                    pooled = feature.mean((2, 3), keepdim=True) if self.pooled else feature
                    targets[own[branch]] = pooled
                logits += [] if logit is None else [logit]
            if logits:
                targets[LOGIT] = torch.stack(logits).mean(0)
        # Copied, because autograd cannot save tensors created in inference mode.
        return {name: value.to(images.dtype, copy=True) for name, value in targets.items()}
