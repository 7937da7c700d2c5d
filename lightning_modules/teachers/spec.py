from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from errors import InputError
from lightning_modules.networks.timm_models import BackboneSpec


@dataclass
class TeacherSpec:
    """Where a teacher comes from: one of `checkpoint`, `backbone` and `module`.

    Attributes:
        checkpoint: A checkpoint of a TeacherModule, with its branches and its fused logit.
        backbone: A timm model, with one branch, "map". It has a logit if the file of `weights` has
            a classifier of one class (fake) or two (real, fake).
        module: Class path of a torch module, called with images in [0, 1], `[B, 3, S, S]`. Returns
            its maps, `{branch: [B, C, h, w]}`, and its logits of being fake, `[B]` or None.
        args: Arguments of `module`.
        weights: File of the state dict of `backbone` or `module`, .safetensors or of torch.save.
    """

    checkpoint: str | None = None
    backbone: BackboneSpec | None = None
    module: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None


def check_teachers(
    checkpoint: str | None, teachers: Mapping[str, TeacherSpec] | None
) -> dict[str, TeacherSpec]:
    """Return the teachers by name; a single checkpoint's name is empty.

    Raises:
        InputError: Both are given, or a teacher has no source, several, or no weights.
    """
    if checkpoint is not None and teachers:
        msg = "model.init_args has both teacher and teachers: move the checkpoint to teachers"
        raise InputError(msg)
    for name, spec in (teachers or {}).items():
        if problem := _problem(name, spec):
            msg = f"model.init_args.teachers.{name}: {problem}"
            raise InputError(msg)
    return dict(teachers or {}) if checkpoint is None else {"": TeacherSpec(checkpoint)}


def _problem(name: str, spec: TeacherSpec) -> str | None:
    sources = [spec.checkpoint, spec.backbone, spec.module]
    if not name or "." in name or "/" in name:
        return "the name is part of the targets' names: expected one without . and /"
    if sum(source is not None for source in sources) != 1:
        return "expected one of checkpoint, backbone and module"
    if spec.checkpoint is not None and spec.weights is not None:
        return "a checkpoint has weights of its own: leave weights out"
    if spec.backbone is not None and not (spec.weights or spec.backbone.pretrained):
        return "a teacher without weights: set weights, or backbone.pretrained true"
    return None
