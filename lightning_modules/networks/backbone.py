from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lightning_modules.networks.front_ends import FRONT_ENDS, RGB, FrontEnd
from lightning_modules.networks.timm_models import (
    BackboneSpec,
    create,
    fit,
    without_pretrained_weights,
)
from lightning_modules.registry import resolve


@dataclass
class BranchSpec(BackboneSpec):
    """A front-end and a backbone.

    Attributes:
        front_end: rgb, fad, lfs, phase, srm, or the class path of a FrontEnd.
    """

    front_end: str = "rgb"


class Backbone(nn.Module):
    """Computes maps of a timm model; `out_indices` are timm's numbers of them, the deepest last.

    Tokens and channels-last maps are converted to `[B, C, h, w]`. If the model needs an input size
    other than `size`, its input is resized, see BackboneSpec.

    With `in_channels` other than 3, timm repeats the first convolution's pretrained weights over
    the channels and divides them by the number of repeats. For FAD's 12 channels this is the
    adaptation of F3-Net (Qian et al., ECCV 2020).

    Raises:
        InputError: timm has no such model or map, it refuses the arguments or the size, or the
            pretrained weights cannot be fetched or read.
    """

    def __init__(
        self,
        spec: BackboneSpec,
        in_channels: int = 3,
        out_indices: tuple[int, ...] = (-1,),
        size: int = 256,
    ) -> None:
        super().__init__()
        self.tuning = spec.tune
        self.options, self.input_size = fit(spec, in_channels, out_indices, size)
        self.model = create(spec, self.options)
        self.channels: list[int] = self.model.feature_info.channels()
        self.mean: tuple[float, ...] = self.model.pretrained_cfg["mean"]
        self.std: tuple[float, ...] = self.model.pretrained_cfg["std"]
        if spec.tune != "all":
            self.model.requires_grad_(False)
        if spec.tune == "norm":
            tune_norms(self.model)

    @property
    def out_channels(self) -> int:
        """Number of channels of the deepest map."""
        return self.channels[-1]

    def train(self, mode: bool = True) -> Self:
        """Set the mode; a backbone that is not tuned stays in evaluation mode."""
        return super().train(mode and self.tuning != "head")

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, in_channels, S, S]` to the deepest map, `[B, out_channels, h, w]`."""
        return self.maps(x)[-1]

    def maps(self, x: Tensor) -> list[Tensor]:
        """Map `[B, in_channels, S, S]` to every map of `out_indices`, `[B, C, h, w]` each."""
        return self.model(self.resize(x))

    def resize(self, x: Tensor) -> Tensor:
        """Resize `[B, in_channels, S, S]` to the model's input size, if it needs one."""
        if self.input_size in (None, x.shape[-1]):
            return x
        size = [self.input_size] * 2
        return F.interpolate(x, size, mode="bilinear", antialias=size[0] < x.shape[-1])


class Branch(nn.Module):
    """A front-end and the backbone that sees its output.

    Raises:
        InputError: The front-end or the backbone cannot be built.
    """

    def __init__(
        self, spec: BranchSpec, image_size: int, out_indices: tuple[int, ...] = (-1,)
    ) -> None:
        super().__init__()
        self.spec = spec
        front_end = resolve("front-end", spec.front_end, FRONT_ENDS, FrontEnd)
        self.front_end = front_end(image_size)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            seen = self.front_end(torch.zeros(1, 3, image_size, image_size))
        self.backbone = Backbone(spec, self.front_end.out_channels, out_indices, seen.shape[-1])
        if isinstance(self.front_end, RGB):
            self.front_end.normalize_by(self.backbone.mean, self.backbone.std)

    @property
    def out_channels(self) -> int:
        """Number of channels of the deepest map."""
        return self.backbone.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map images in [0, 1] `[B, 3, S, S]` to the deepest map, `[B, out_channels, h, w]`."""
        return self.backbone(self.apply_front_end(x))

    def maps(self, x: Tensor) -> list[Tensor]:
        """Map images in [0, 1] `[B, 3, S, S]` to every map of `out_indices`, `[B, C, h, w]`."""
        return self.backbone.maps(self.apply_front_end(x))

    def truncated(self, stage: int) -> "Branch":
        """Return a branch with the same front-end and weights that ends at a stage.

        Raises:
            InputError: The backbone has no such stage.
        """
        with without_pretrained_weights():
            short = Branch(self.spec, self.front_end.image_size, (stage,))
        state = self.state_dict()
        short.load_state_dict({name: state[name] for name in short.state_dict()})
        return short

    def apply_front_end(self, x: Tensor) -> Tensor:
        """Return the backbone's input for images in [0, 1], in full precision under autocast too.

        The range of a spectrum exceeds what half precision resolves.
        """
        with torch.autocast(x.device.type, enabled=False):
            return self.front_end(x)


def tune_norms(model: nn.Module) -> None:
    """Train the weights and biases of all norms of a frozen model."""
    for layer in model.modules():
        # timm has norms of its own beside torch's, without a common base class.
        if "norm" in type(layer).__name__.lower():
            for parameter in layer.parameters(recurse=False):
                parameter.requires_grad_(True)


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
