from dataclasses import dataclass, field
from typing import Any

import timm
import torch
from timm.models import FeatureListNet
from torch import Tensor, nn

from errors import InputError, look_up


@dataclass
class BackboneSpec:
    """Which timm model to build.

    Attributes:
        name: A timm model name, e.g. `legacy_xception`.
        pretrained: Load timm's pretrained weights (fetched from a hub, then cached).
        args: Further arguments of the timm model, e.g. `{"channels": [16, 32, 64, 128]}`.
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
        tapped: Numbers of timm's feature maps that `segments` ends at, ascending; its last map
            comes by itself.

    Raises:
        InputError: timm has no such model, it gives no feature map, its arguments are refused, or
            its pretrained weights cannot be fetched.
    """

    def __init__(
        self, spec: BackboneSpec, in_channels: int = 3, tapped: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.name = spec.name
        self.model = _create(spec, in_channels, tapped)
        self.channels: list[int] = self.model.feature_info.channels()
        self.out_channels = self.channels[-1]
        self.mean: tuple[float, ...] = self.model.pretrained_cfg["mean"]
        self.std: tuple[float, ...] = self.model.pretrained_cfg["std"]

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, in_channels, S, S]` to `[B, out_channels, h, w]`."""
        return self.model(x)[-1]

    def segments(self) -> list[nn.Sequential]:
        """The layers up to each tapped feature map and on to the last: chained they are forward.

        Raises:
            InputError: The model does not consist of one chain of layers.
        """
        # Subclasses, such as EfficientNet's, have a forward of their own.
        if type(self.model) is not FeatureListNet:
            msg = (
                f"backbone {self.name!r} cannot be cut at its stages, which mixing branches needs: "
                "choose one that is a chain of layers, such as legacy_xception or resnet50"
            )
            raise InputError(msg)
        segments: list[nn.Sequential] = []
        layers: list[nn.Module] = []
        for name, layer in self.model.items():
            layers.append(layer)
            if name in self.model.return_layers:
                segments.append(nn.Sequential(*layers))
                layers = []
        return segments


def _create(spec: BackboneSpec, in_channels: int, tapped: tuple[int, ...]) -> Any:
    if not timm.is_model(spec.name):
        look_up("timm backbone", spec.name, dict.fromkeys(timm.list_models()))
    try:
        model = timm.create_model(
            spec.name,
            pretrained=spec.pretrained,
            in_chans=in_channels,
            features_only=True,
            out_indices=(*tapped, -1),
            **spec.args,
        )
    except (TypeError, RuntimeError, AttributeError, AssertionError, IndexError) as error:
        if spec.pretrained and isinstance(error, RuntimeError):
            raise InputError(_unfetched(spec, error)) from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"backbone {spec.name!r} cannot be built with args {spec.args}: {reason}"
        raise InputError(msg) from error
    except OSError as error:  # huggingface_hub's and urllib's network errors are OSErrors
        raise InputError(_unfetched(spec, error)) from error
    return model


def _unfetched(spec: BackboneSpec, error: Exception) -> str:
    return (
        f"the pretrained weights of {spec.name!r} cannot be fetched ({type(error).__name__}): "
        "connect to the network once, or train from scratch with `pretrained: false`"
    )


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
