import hashlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from errors import InputError
from lightning_modules.target_cache import FeatureCache, View, make_room

Lesson = dict[str, Tensor]
"""What the frozen teacher gives of a batch: its feature of each target, and its "logit"."""
Choice = dict[str, Any]

_ROUNDS = 5
_PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_PROBE = "probe"


@dataclass
class TeachingSpec:
    """How the frozen teacher is run in training; in any way its features are the targets.

    Attributes:
        precision: Of the teacher; float32 is that of the training, auto takes bfloat16 where it is
            measured to be faster.
        cache: Keep the teacher's features on disk, in float16, for the epochs in which the same
            views come again; needs data.views. auto does where data.views is given and reading is
            measured to be faster than the teacher.
        folder: Of the caches, best on a disk of the machine itself.
        limit_gb: Most that the caches of the folder take together, in 10^9 bytes.
    """

    precision: Literal["float32", "bfloat16", "float16", "auto"] = "float32"
    cache: Literal["off", "on", "auto"] = "off"
    folder: str = "data/teacher-cache"
    limit_gb: float = 20.0


class Teaching:
    """Runs a frozen teacher in the way that is chosen when training starts.

    Args:
        spec: What to choose from.
        forward: The teacher's forward, images in [0, 1] to a lesson.
    """

    def __init__(self, spec: TeachingSpec, forward: Callable[[Tensor], Lesson]) -> None:
        self.spec = spec
        self.forward = forward
        self.choice: Choice | None = None
        self.cache: FeatureCache | None = None
        self._shapes: dict[str, torch.Size] = {}

    def choose(self, images: Tensor, views: int | None) -> Choice:
        """Measure where the spec leaves it open.

        Args:
            images: A batch as large as training's, in [0, 1].
            views: Views of the whole training; None where every epoch has new ones.

        Raises:
            InputError: Features are to be kept, but no view comes again.
        """
        if self.spec.cache == "on" and views is None:
            msg = (
                "model.init_args.teaching.cache is on, but every epoch has new views: set "
                "data.views to their number, e.g. 2, or leave the cache off"
            )
            raise InputError(msg)
        precision = self.spec.precision
        if precision == "auto":
            seconds = {p: self._seconds(images, p) for p in ("float32", "bfloat16")}
            precision = "bfloat16" if seconds["bfloat16"] < seconds["float32"] else "float32"
        cached = self.spec.cache == "on"
        if self.spec.cache == "auto" and views is not None:
            cached = self._reading(images, precision) < self._seconds(images, precision)
        return {"precision": precision, "cached": cached}

    def begin(self, choice: Choice, images: Tensor, views: int | None, key: Sequence[Any]) -> None:
        """Take up a choice.

        Args:
            choice: What `choose` gave, then or in the run that goes on.
            images: Of one batch, for the shapes of its lesson.
            views: Views of the whole training.
            key: What the features follow from: the teacher, the data and its views.
        """
        self.choice = choice
        if not choice["cached"] or views is None:
            return
        record = self._record(images, choice["precision"])
        shapes = {name: [*shape] for name, shape in self._shapes.items()}
        name = hashlib.sha256(repr((key, shapes, choice["precision"])).encode()).hexdigest()[:16]
        limit = int(self.spec.limit_gb * 1e9)
        # A quarter more than there are views keeps the table's stretches short.
        slots = max(1, min(limit // record, views * 5 // 4 + 64))
        folder = Path(self.spec.folder)
        make_room(folder, name, limit - slots * record)
        self.cache = FeatureCache(folder / name, record, slots)

    def lesson(self, images: Tensor, rows: Tensor, seeds: Tensor) -> Lesson:
        """Give the teacher's lesson of a batch, from the cache where it is there."""
        precision = self.choice["precision"] if self.choice else "float32"
        if self.cache is None:
            return self._run(images, precision)
        views: list[View] = list(zip(rows.tolist(), seeds.tolist(), strict=True))
        found = self.cache.get(views)
        if None in found:
            records = self._pack(self._run(images, precision))
            if not self.cache.full:
                self.cache.put(views, records)
            computed = [record.tobytes() for record in records]
            found = [old or new for old, new in zip(found, computed, strict=True)]
        return self._unpack(found, images)

    def _run(self, images: Tensor, precision: str) -> Lesson:
        context: AbstractContextManager[Any] = nullcontext()
        if precision in _PRECISIONS:
            context = torch.autocast(images.device.type, _PRECISIONS[precision])
        with torch.inference_mode(), context:
            lesson = self.forward(images)
        # Copied, because a backward may not keep what inference mode has made.
        return {name: value.to(images.dtype, copy=True) for name, value in lesson.items()}

    def _pack(self, lesson: Mapping[str, Tensor]) -> Any:
        whole = torch.cat([value.detach().flatten(1) for value in lesson.values()], dim=1).half()
        if not whole.isfinite().all():
            msg = (
                "the teacher's features are beyond float16, in which they are kept: set "
                "model.init_args.teaching.cache to off"
            )
            raise InputError(msg)
        return whole.cpu().numpy().view(np.uint8)

    def _unpack(self, records: Sequence[bytes | None], like: Tensor) -> Lesson:
        joined = bytearray(b"".join(record for record in records if record is not None))
        whole = torch.frombuffer(joined, dtype=torch.float16).view(len(records), -1)
        sizes = [shape.numel() for shape in self._shapes.values()]
        parts = torch.split(whole.to(like.device, like.dtype), sizes, dim=1)
        return {
            name: part.reshape(len(records), *shape)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }

    def _record(self, images: Tensor, precision: str) -> int:
        """Bytes of a view's lesson."""
        lesson = self._run(images, precision)
        self._shapes = {name: value.shape[1:] for name, value in lesson.items()}
        return 2 * sum(shape.numel() for shape in self._shapes.values())

    def _seconds(self, images: Tensor, precision: str) -> float:
        return _median_seconds(lambda: self._run(images, precision), images.device)

    def _reading(self, images: Tensor, precision: str) -> float:
        """Seconds to read a batch from a cache that is made for it and removed again."""
        folder = Path(self.spec.folder) / f"{_PROBE}-{time.monotonic_ns()}"
        record, views = self._record(images, precision), [(i, 0) for i in range(len(images))]
        cache = FeatureCache(folder, record, 2 * len(views))
        try:
            cache.put(views, self._pack(self._run(images, precision)))
            return _median_seconds(lambda: self._unpack(cache.get(views), images), images.device)
        finally:
            cache.remove()


def _median_seconds(work: Callable[[], object], device: torch.device) -> float:
    seconds = []
    for _ in range(1 + _ROUNDS):
        _wait(device)
        began = time.perf_counter()
        work()
        _wait(device)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])  # the first warms up


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
