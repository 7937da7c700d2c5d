from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import timm
import torch
from torch import Tensor, nn

from errors import InputError, look_up

# Number of timm's feature map, or the name of a layer of the model.
Stage = int | str

PROBE_SIZE = 64

_from_scratch = ContextVar("from_scratch", default=False)


@contextmanager
def without_pretrained_weights() -> Iterator[None]:
    """Build backbones from scratch, whatever their specification: a checkpoint gives weights."""
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
        pretrained: Begin from timm's pretrained weights, fetched from a hub, then cached.
        args: Further arguments of the timm model, e.g. `{"channels": [16, 32, 64, 128]}`; with
            `{"pretrained_cfg_overlay": {"file": PATH}}` the pretrained weights are that file's.
    """

    name: str
    pretrained: bool = False
    args: dict[str, Any] = field(default_factory=dict)


class Backbone(nn.Module):
    """The last feature map of a timm model.

    With `in_channels` other than 3, timm repeats the first convolution's pretrained weights over
    the channels and divides them by the number of repeats; for FAD's 12 channels this is the
    adaptation of F3-Net (Qian et al., ECCV 2020).

    Args:
        spec: The timm model.
        in_channels: Channels of the input.

    Raises:
        InputError: timm has no such model, it gives no feature map, its arguments are refused, or
            its pretrained weights cannot be fetched or read.
    """

    def __init__(self, spec: BackboneSpec, in_channels: int = 3) -> None:
        super().__init__()
        self.name = spec.name
        self.in_channels = in_channels
        self.model = _create(spec, in_channels)
        self.out_channels: int = self.model.feature_info.channels()[-1]
        self.mean: tuple[float, ...] = self.model.pretrained_cfg["mean"]
        self.std: tuple[float, ...] = self.model.pretrained_cfg["std"]

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, in_channels, S, S]` to `[B, out_channels, h, w]`."""
        return self.model(x)[-1]

    @cached_property
    def layers(self) -> dict[str, int]:
        """Channels after each top-level layer, in the order in which they are run.

        Found by running them on noise, which also shows that they are one chain.

        Raises:
            InputError: The model is not one chain of layers.
        """
        training = self.training
        self.eval()
        channels = {}
        try:
            with torch.no_grad():
                x = image = torch.rand(1, self.in_channels, PROBE_SIZE, PROBE_SIZE)
                for name, layer in self._chain():
                    x = layer(x)
                    channels[name] = x.shape[1]
                whole = torch.equal(x, self(image))
        # Layers that are not a chain fail in whatever way they like.
        except Exception:
            whole = False
        self.train(training)
        if not whole:
            msg = (
                f"backbone {self.name!r} cannot be cut at its stages, because it is not one chain "
                "of layers: choose one that is, such as legacy_xception or resnet50"
            )
            raise InputError(msg)
        return channels

    def layer_at(self, stage: Stage) -> str:
        """Name the layer that ends a stage.

        Raises:
            InputError: There is no such stage, or it ends within a layer.
        """
        maps = self.model.feature_info.info
        name = str(stage)
        if isinstance(stage, int):
            if not 0 <= stage < len(maps):
                msg = f"stage {stage} of {self.name}: there are 0 to {len(maps) - 1}"
                raise InputError(msg)
            module = maps[stage]["module"]
            name = module.replace(".", "_")  # as timm flattens it
        if name not in self.layers:
            msg = f"stage {stage} of {self.name} does not end a layer: {', '.join(self.layers)} do"
            raise InputError(msg)
        return name

    def channels_at(self, stage: Stage) -> int:
        """Give the channels of the map that a stage ends with."""
        return self.layers[self.layer_at(stage)]

    def segments(self, stages: Sequence[Stage]) -> list[nn.Sequential]:
        """The layers up to each of these stages and on to the last map: chained they are forward.

        Args:
            stages: In the order in which they are run.
        """
        segments: list[list[nn.Module]] = [[]]
        ends = [self.layer_at(stage) for stage in stages]
        for name, layer in self._chain():
            segments[-1].append(layer)
            if name in ends:
                segments.append([])
        return [nn.Sequential(*layers) for layers in segments]

    def _chain(self) -> list[tuple[str, nn.Module]]:
        children = list(self.model.named_children())
        if [name for name, _ in children] != ["body"]:
            return children
        # timm left the model as it is, the layers behind its last map included.
        children = list(self.model.get_submodule("body").named_children())
        last = self.model.feature_info.info[-1]["module"].split(".")[0]
        return children[: [name for name, _ in children].index(last) + 1]


def _create(spec: BackboneSpec, in_channels: int) -> Any:
    if not timm.is_model(spec.name):
        look_up("timm backbone", spec.name, dict.fromkeys(timm.list_models()))
    try:
        model = timm.create_model(
            spec.name,
            pretrained=spec.pretrained and not _from_scratch.get(),
            in_chans=in_channels,
            features_only=True,
            out_indices=(-1,),
            **spec.args,
        )
    # Arguments that timm refuses, a hub out of reach, a file cut short: each fails its own way.
    except Exception as error:
        raise InputError(_reason(spec, error)) from error
    return model


def _reason(spec: BackboneSpec, error: Exception) -> str:
    kind = type(error).__name__
    file = spec.args.get("pretrained_cfg_overlay", {}).get("file")
    if spec.pretrained and file:
        return f"{file}: no weights of timm's {spec.name} ({kind}): give a file of its state dict"
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
    """Count the multiply-accumulates of one forward of a `[1, 3, image_size, image_size]` image."""
    from torch.utils.flop_counter import FlopCounterMode

    device = next(module.parameters()).device
    training = module.training
    module.eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 3, image_size, image_size, device=device))
    module.train(training)
    return int(counter.get_total_flops()) // 2
