from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from datamodules.face_forensics import FixedViews
from errors import InputError, look_up
from lightning_modules.networks.backbone import Branch
from lightning_modules.target_cache import TargetCache, open_caches
from lightning_modules.teacher import TeacherModule
from records.files import sha256

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
    """Computes the targets of a distillation: a trained teacher in evaluation mode, not trained.

    It is no module, so it is neither trained, moved, synchronized nor saved with the student.

    For the arguments see DistillModule; `widths` are the targets' numbers of channels, by name.

    Raises:
        InputError: The checkpoint is not a teacher's, or its teacher has another image size or
            lacks a branch or the stage.
    """

    def __init__(
        self,
        checkpoint: str,
        spec: FrozenTeacherSpec,
        image_size: int,
        targets: Sequence[str] | None,
        logit: bool,
        stage: int | None,
        pooled: bool,
    ) -> None:
        teacher = TeacherModule.load(Path(checkpoint))
        if teacher.image_size != image_size:
            msg = (
                f"{checkpoint}: a teacher for images of {teacher.image_size} px, expected "
                f"{image_size} as in data.image_size: give both the same size"
            )
            raise InputError(msg)
        teacher.setup("predict")
        self.checkpoint = checkpoint
        self.spec = spec
        self.image_size = image_size
        self.logit = logit
        self.stage = stage
        self.pooled = pooled
        self.network = teacher.multi_branch.requires_grad_(False).eval()
        branches = cast(Mapping[str, Branch], self.network.branches)
        self.branches = {
            name: look_up("teacher branch", name, branches)
            for name in (branches if targets is None else targets)
        }
        if stage is not None:
            self.branches = {name: b.truncated(stage).eval() for name, b in self.branches.items()}
        self.widths = {name: branch.out_channels for name, branch in self.branches.items()}
        self.caches: dict[str, TargetCache] = {}

    def start(self, like: Tensor, backend: str | None) -> None:
        """Move to the device and data type of a tensor, and compile the branches."""
        for module in (self.network, *self.branches.values()):
            module.to(like)
        if backend is not None:
            for branch in {*self.branches.values(), *self.network.branches.values()}:
                branch.compile(backend=backend)

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
            "teacher": sha256(Path(self.checkpoint)),
            "stage": self.stage,
            "pooled": self.pooled,
            "frozen_teacher.precision": self.spec.precision,
            "trainer.precision": precision,
            **views.key,
        }
        weight = next(self.network.parameters())
        images = torch.zeros(1, 3, self.image_size, self.image_size).to(weight)
        shapes = {name: tuple(t.shape[1:]) for name, t in self._compute(images, self.names).items()}
        limit = int(self.spec.limit_gb * 1e9)
        dtype = np.float32 if self.spec.cache == "shared" else np.float16
        self.caches = open_caches(Path(self.spec.folder), key, views.shape, shapes, limit, dtype)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the targets, "logit" included."""
        return (*self.branches, LOGIT) if self.logit else tuple(self.branches)

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
        missing = [name for name, cache in self.caches.items() if not cache.holds(numbers)]
        for name, target in self._compute(images, missing).items():
            self.caches[name].write(numbers, target)
        return {name: cache.read(numbers, images) for name, cache in self.caches.items()}

    def _compute(self, images: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Compute these targets, running each branch once."""
        context: AbstractContextManager[Any] = nullcontext()
        if self.spec.precision in _HALF:
            context = torch.autocast(images.device.type, _HALF[self.spec.precision])
        targets = {}
        with torch.inference_mode(), context:
            # The logit needs the last maps of all branches.
            last = self.network.features(images) if LOGIT in names else {}
            for name in names:
                if name == LOGIT:
                    targets[name] = self.network.classify(last)["fused"]
                    continue
                reuse = self.stage is None and name in last
                feature = last[name] if reuse else self.branches[name](images)
                targets[name] = feature.mean((2, 3), keepdim=True) if self.pooled else feature
        # Copied, because autograd cannot save tensors created in inference mode.
        return {name: value.to(images.dtype, copy=True) for name, value in targets.items()}
