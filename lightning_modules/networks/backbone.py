from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from errors import InputError, look_up
from lightning_modules.networks.front_ends import FRONT_ENDS, RGB, FrontEnd
from lightning_modules.registry import resolve

_from_scratch = ContextVar("from_scratch", default=False)


@contextmanager
def without_pretrained_weights() -> Iterator[None]:
    """Build backbones from scratch, whatever their specification: a checkpoint has the weights."""
    token = _from_scratch.set(True)
    try:
        yield
    finally:
        _from_scratch.reset(token)


@dataclass
class BackboneSpec:
    """Which timm model to build.

    Attributes:
        name: A timm model name, e.g. `legacy_xception`.
        pretrained: Start from timm's pretrained weights, fetched from a hub, then cached.
        args: Further arguments of the timm model, e.g. `{"channels": [16, 32, 64, 128]}`. With
            `{"pretrained_cfg_overlay": {"file": PATH}}` the pretrained weights are read from PATH.
    """

    name: str
    pretrained: bool = False
    args: dict[str, Any] = field(default_factory=dict)


@dataclass
class BranchSpec(BackboneSpec):
    """A front-end and a backbone.

    Attributes:
        front_end: rgb, fad, lfs, phase, srm, or the class path of a FrontEnd.
    """

    front_end: str = "rgb"


class Backbone(nn.Module):
    """Feature maps of a timm model: `out_indices` are timm's numbers of them, the deepest last.

    With `in_channels` other than 3, timm repeats the first convolution's pretrained weights over
    the channels and divides them by the number of repeats. For FAD's 12 channels this is the
    adaptation of F3-Net (Qian et al., ECCV 2020).

    Raises:
        InputError: timm has no such model or feature map, it refuses the arguments, or the
            pretrained weights cannot be fetched or read.
    """

    def __init__(
        self, spec: BackboneSpec, in_channels: int = 3, out_indices: tuple[int, ...] = (-1,)
    ) -> None:
        super().__init__()
        self.spec = spec
        self.in_channels = in_channels
        self.model = _create(spec, in_channels, out_indices)
        self.channels: list[int] = self.model.feature_info.channels()
        self.mean: tuple[float, ...] = self.model.pretrained_cfg["mean"]
        self.std: tuple[float, ...] = self.model.pretrained_cfg["std"]

    @property
    def out_channels(self) -> int:
        """Number of channels of the deepest map."""
        return self.channels[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, in_channels, S, S]` to the deepest map, `[B, out_channels, h, w]`."""
        return self.maps(x)[-1]

    def maps(self, x: Tensor) -> list[Tensor]:
        """Map `[B, in_channels, S, S]` to every map of `out_indices`, `[B, C, h, w]` each."""
        return self.model(x)

    def truncated(self, stage: int) -> "Backbone":
        """Return a backbone with the same weights that ends at a stage."""
        with without_pretrained_weights():
            short = Backbone(self.spec, self.in_channels, (stage,))
        state = self.state_dict()
        short.load_state_dict({name: state[name] for name in short.state_dict()})
        return short


class Branch(nn.Module):
    """A front-end and the backbone that sees its output.

    Raises:
        InputError: The front-end or the backbone cannot be built.
    """

    def __init__(
        self, spec: BranchSpec, image_size: int, out_indices: tuple[int, ...] = (-1,)
    ) -> None:
        super().__init__()
        front_end = resolve("front-end", spec.front_end, FRONT_ENDS, FrontEnd)
        self.front_end = front_end(image_size)
        self.backbone = Backbone(spec, self.front_end.out_channels, out_indices)
        if isinstance(self.front_end, RGB):
            self.front_end.normalize_by(self.backbone.mean, self.backbone.std)

    @property
    def out_channels(self) -> int:
        """Number of channels of the deepest map."""
        return self.backbone.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to the deepest map, `[B, out_channels, h, w]`."""
        features: Tensor = self.backbone(self.apply_front_end(x))
        return features

    def maps(self, x: Tensor) -> list[Tensor]:
        """Map images in [0, 1] `[B, 3, S, S]` to every map of `out_indices`, `[B, C, h, w]`."""
        return self.backbone.maps(self.apply_front_end(x))

    def truncated(self, stage: int) -> "Branch":
        """Return a branch with the same front-end and weights that ends at a stage.

        Raises:
            InputError: The backbone has no such stage.
        """
        short = deepcopy(self)
        short.backbone = self.backbone.truncated(stage)
        return short

    def apply_front_end(self, x: Tensor) -> Tensor:
        """Return the backbone's input for images in [0, 1], in full precision under autocast too.

        The range of a spectrum exceeds what half precision resolves.
        """
        with torch.autocast(x.device.type, enabled=False):
            seen: Tensor = self.front_end(x)
        return seen


def _create(spec: BackboneSpec, in_channels: int, out_indices: tuple[int, ...]) -> Any:
    if not timm.is_model(spec.name):
        look_up("timm backbone", spec.name, dict.fromkeys(timm.list_models()))
    options = {"in_chans": in_channels, "features_only": True, **spec.args}
    try:
        return timm.create_model(
            spec.name,
            pretrained=spec.pretrained and not _from_scratch.get(),
            out_indices=out_indices,
            **options,
        )
    # Arguments that timm refuses, an unreachable hub, a truncated file: each fails its own way.
    except Exception as error:
        if isinstance(error, IndexError) and out_indices != (-1,):
            with torch.device("meta"):
                whole: Any = timm.create_model(spec.name, **options)
            last = len(whole.feature_info.info) - 1
            msg = f"stage {out_indices[0]} is out of range for {spec.name} (0-{last})"
            raise InputError(msg) from error
        raise InputError(_reason(spec, error)) from error


def _reason(spec: BackboneSpec, error: Exception) -> str:
    kind = type(error).__name__
    file = spec.args.get("pretrained_cfg_overlay", {}).get("file")
    if spec.pretrained and file:
        return f"{file}: not weights of timm's {spec.name} ({kind}): give a file of its state dict"
    if spec.pretrained and isinstance(error, OSError | RuntimeError):  # a hub's are OSErrors
        return (
            f"the pretrained weights of {spec.name!r} cannot be fetched ({kind}): connect to the "
            "network once, give a file of them as `args.pretrained_cfg_overlay.file`, or train "
            "from scratch with `pretrained: false`"
        )
    reason = (str(error).splitlines() or [kind])[0]
    return f"backbone {spec.name!r} cannot be built with args {spec.args}: {reason}"


def count_parameters(module: nn.Module) -> int:
    """Count the parameters of a module, trained or frozen."""
    return sum(p.numel() for p in module.parameters())


def count_macs(module: nn.Module, image_size: int) -> int:
    """Count the multiply-accumulates of a forward pass of one image of side `image_size`."""
    device = next(module.parameters()).device
    training = module.training
    module.eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 3, image_size, image_size, device=device))
    module.train(training)
    return int(counter.get_total_flops()) // 2
