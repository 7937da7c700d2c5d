"""timm models that give maps: with which arguments, and for which size of the input."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import timm
import torch
from timm.models._features import FeatureGetterNet
from torch import nn

from errors import InputError, first_line, look_up, require_number

Tuning = Literal["all", "norm", "head"]
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
    """Which timm model to build, and which of its weights are trained.

    Attributes:
        name: A timm model name, e.g. `legacy_xception`.
        pretrained: Start from timm's pretrained weights, fetched from a hub, then cached.
        args: Further arguments of the timm model, e.g. `{"channels": [16, 32, 64, 128]}`. With
            `{"pretrained_cfg_overlay": {"file": PATH}}` the pretrained weights are read from PATH.
        input_size: Side in pixels to which the model's input is resized, rounded up to whole
            patches. Default: the input's own size; or the model's, if it takes no other.
        tune: What is trained. all: every weight. norm: the norms' weights and biases, as in GenD
            (Yermakov et al., WACV 2026). head: nothing of the backbone, only what follows it.
    """

    name: str
    pretrained: bool = False
    args: dict[str, Any] = field(default_factory=dict)
    input_size: int | None = None
    tune: Tuning = "all"


class NormalizedMaps(FeatureGetterNet):
    """The maps of a transformer, `[B, C, h, w]`, after its final norm where it has one."""

    def __init__(self, model: nn.Module, **options: Any) -> None:
        super().__init__(model, norm=True, **options)


def create(spec: BackboneSpec, options: dict[str, Any]) -> Any:
    """Build a timm model, with pretrained weights if the specification asks for them.

    Raises:
        InputError: timm refuses the arguments, or the weights cannot be fetched or read.
    """
    pretrained = spec.pretrained and not _from_scratch.get()
    try:
        model: Any = timm.create_model(spec.name, pretrained=pretrained, **options)
        if pretrained and _file(spec):
            with torch.random.fork_rng(devices=[]):
                again: Any = timm.create_model(spec.name, pretrained=True, **options)
            _require_all_weights(spec, model, again)
    except InputError:
        raise
    # An unreachable hub, a truncated file and another model's weights fail in different ways.
    except Exception as error:
        raise InputError(_reason(spec, error, pretrained)) from error
    return model


def _require_all_weights(spec: BackboneSpec, model: nn.Module, again: nn.Module) -> None:
    """Check that the file has every weight of a model: timm does not report missing ones.

    A weight that is not in the file is random, so it differs in a second model.
    """
    others = dict(again.named_parameters())
    if missing := [n for n, p in model.named_parameters() if not torch.equal(p, others[n])]:
        msg = (
            f"{_file(spec)}: not weights of timm's {spec.name} ({missing[0]} is missing): give a "
            "file of its state dict"
        )
        raise InputError(msg)


def fit(
    spec: BackboneSpec, channels: int, stages: tuple[int, ...], size: int
) -> tuple[dict[str, Any], int | None]:
    """Find out with which arguments a model maps `[B, channels, size, size]`.

    It is built on the meta device, without memory and computation.

    Returns:
        The arguments of `timm.create_model`; and the side in pixels to which the input is resized,
        None if the model takes any size.

    Raises:
        InputError: timm has no such model or map, it refuses the arguments, the model does not take
            this input, or it gives no maps.
    """
    if not timm.is_model(spec.name):
        look_up("timm backbone", spec.name, dict.fromkeys(timm.list_models()))
    require_number(f"input_size of {spec.name}", spec.input_size, least=1)
    options = {"in_chans": channels, "features_only": True, "out_indices": stages}
    wanted = spec.input_size or size
    own, fixed = _own_size(spec)
    with torch.random.fork_rng(devices=[]), torch.device("meta"), without_pretrained_weights():
        if not fixed:
            options, needed = _fit_to(spec, options, wanted)
            return options, None if needed == size else needed
        try:
            return _fit_to(spec, {**options, "img_size": wanted}, wanted)
        except InputError:
            # Some have no argument for the size, or do not take every size.
            if spec.input_size in (None, own):
                return _fit_to(spec, options, own)
            raise


def _own_size(spec: BackboneSpec) -> tuple[int, bool]:
    """Return the side of the images that a model was made for, and whether it depends on it."""
    config: Any = timm.get_pretrained_cfg(spec.name)
    return (224, False) if config is None else (config.input_size[-1], config.fixed_input_size)


def _fit_to(spec: BackboneSpec, options: dict[str, Any], size: int) -> tuple[dict[str, Any], int]:
    """Return the arguments and the size, rounded up to whole patches, of a model that works."""
    options = {**options, **spec.args}
    model = _create_for_maps(spec, options)
    if rest := size % _patch_size(model):  # timm would cut it off
        size += _patch_size(model) - rest
        options |= {"img_size": size} if "img_size" in options else {}
        model = _create_for_maps(spec, options)
    # Tokens and channels-last maps are read as maps through timm's getter.
    if isinstance(model, FeatureGetterNet) or getattr(model, "output_fmt", "NCHW") != "NCHW":
        try:
            normalized = {**options, "feature_cls": NormalizedMaps}
            _require_maps(spec, _create_for_maps(spec, normalized), options["in_chans"], size)
        except InputError:  # a few cannot normalize maps
            options |= {"feature_cls": "getter"}
            model = _create_for_maps(spec, options)
        else:
            return normalized, size
    _require_maps(spec, model, options["in_chans"], size)
    return options, size


def _patch_size(model: Any) -> int:
    """Return the side of a model's patches that do not overlap, or 1."""
    inner = model.model if isinstance(model, FeatureGetterNet) else model
    projection: Any = getattr(getattr(inner, "patch_embed", None), "proj", None)
    tiles = isinstance(projection, nn.Conv2d) and projection.kernel_size == projection.stride
    return projection.kernel_size[0] if tiles else 1


def _require_maps(spec: BackboneSpec, model: Any, channels: int, size: int) -> None:
    try:
        maps = model.eval()(torch.zeros(1, channels, size, size))
    # Families assert, raise or fail in a kernel where a size or a channel count does not fit.
    except Exception as error:
        own = _own_size(spec)[0]
        msg = (
            f"backbone {spec.name!r} does not take {channels} x {size} x {size} px "
            f"({first_line(error)}): set input_size to its own, {own}, or choose another backbone"
        )
        raise InputError(msg) from error
    last = model.feature_info.channels()[-1]
    if any(m.ndim != 4 for m in maps) or maps[-1].shape[1] != last:
        shapes = ", ".join(str(list(m.shape)) for m in maps)
        msg = f"backbone {spec.name!r} gives {shapes}, expected maps [B, C, h, w]: choose another"
        raise InputError(msg)


def _create_for_maps(spec: BackboneSpec, options: dict[str, Any]) -> Any:
    try:
        return timm.create_model(spec.name, **options)
    # Families refuse an option in different ways.
    except Exception as error:
        stages = options["out_indices"]
        if isinstance(error, IndexError) and stages != (-1,):
            whole: Any = timm.create_model(spec.name, **{**options, "out_indices": None})
            last = len(whole.feature_info.info) - 1
            msg = f"stage {stages[0]} is out of range for {spec.name} (0-{last})"
            raise InputError(msg) from error
        raise InputError(_reason(spec, error, pretrained=False)) from error


def _file(spec: BackboneSpec) -> str | None:
    """Return the file of the pretrained weights, if it is not timm's own."""
    overlay: dict[str, Any] = spec.args.get("pretrained_cfg_overlay", {})
    return overlay.get("file")


def _reason(spec: BackboneSpec, error: Exception, pretrained: bool) -> str:
    kind = type(error).__name__
    if pretrained and (file := _file(spec)):
        return f"{file}: not weights of timm's {spec.name} ({kind}): give a file of its state dict"
    if pretrained and isinstance(error, OSError | RuntimeError):  # a hub's are OSErrors
        return (
            f"the pretrained weights of {spec.name!r} cannot be fetched ({kind}): connect to the "
            "network once, give a file of them as `args.pretrained_cfg_overlay.file`, or train "
            "from scratch with `pretrained: false`"
        )
    return f"backbone {spec.name!r} cannot be built with args {spec.args}: {first_line(error)}"
