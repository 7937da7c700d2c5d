from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import timm
from timm.models import load_state_dict
from torch import Tensor

from lightning_modules.networks.backbone import Branch, BranchSpec
from lightning_modules.networks.timm_models import BackboneSpec, create
from lightning_modules.teachers.base import Computed, LoadedTeacher
from records.files import require_file, sha256

MAP = "map"


class TimmTeacher(LoadedTeacher):
    """A timm model with the weights of a file, or timm's own.

    It sees the student's views, resized to its input size and normalized by its own statistics.

    Raises:
        InputError: The file is missing or has other weights, or the model cannot be built.
    """

    def __init__(
        self, spec: BackboneSpec, weights: str | None, image_size: int, stage: int | None
    ) -> None:
        super().__init__()
        if weights is not None:
            remedy = f"set weights to a state dict of timm's {spec.name}"
            require_file(Path(weights), "the weights of a teacher", remedy)
            overlay = {**spec.args.get("pretrained_cfg_overlay", {}), "file": weights}
            args = {**spec.args, "pretrained_cfg_overlay": overlay}
            spec = replace(spec, pretrained=True, args=args)
        branch = BranchSpec(spec.name, spec.pretrained, spec.args, spec.input_size)
        self.branch = Branch(branch, image_size, (-1 if stage is None else stage,))
        self.classifier = None if weights is None else _classifier(spec, self.branch, weights)
        self.has_logit = self.classifier is not None
        self.widths = {MAP: self.branch.out_channels}
        built_with, file = _content(spec)
        self.fingerprint = [spec.name, built_with, self.branch.backbone.input_size, file]

    def compile_for(self, backend: str) -> None:
        """Compile the branch."""
        self.branch.compile(backend=backend)

    def compute(self, images: Tensor, branches: Sequence[str], logit: bool) -> Computed:
        """Run the branch, and the whole model if its logits are wanted."""
        maps = {name: self.branch(images) for name in branches}
        if not logit or self.classifier is None:
            return maps, None
        seen = self.branch.backbone.resize(self.branch.apply_front_end(images))
        classes: Tensor = self.classifier(seen)
        return maps, classes[:, -1] - (classes[:, 0] if classes.shape[1] == 2 else 0)


def _content(spec: BackboneSpec) -> tuple[str, str | None]:
    """Return the arguments, without the path of the weights' file, and the file's checksum."""
    overlay = dict(spec.args.get("pretrained_cfg_overlay", {}))
    file = overlay.pop("file", None)
    args = {name: spec.args[name] for name in spec.args if name != "pretrained_cfg_overlay"}
    return str(args | overlay), None if file is None else sha256(Path(file))


def _classifier(spec: BackboneSpec, branch: Branch, weights: str) -> Any:
    """Return the whole model if the file has a classifier of forgeries, or else None."""
    config: Any = timm.get_pretrained_cfg(spec.name)
    name = config.classifier
    head = load_state_dict(weights).get(f"{name}.weight")
    if head is None or len(head) not in (1, 2):
        return None
    overlay = {**spec.args["pretrained_cfg_overlay"], "num_classes": len(head)}
    args = {**spec.args, "pretrained_cfg_overlay": overlay, "num_classes": len(head)}
    size = branch.backbone.options.get("img_size")
    return create(spec, args if size is None else {"img_size": size, **args})
