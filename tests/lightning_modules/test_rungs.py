"""What the rungs of the ladder can and cannot express."""

from functools import partial

import torch
from torch import Tensor, nn

from lightning_modules.feature_distillation import FeatureDistillation, HomogenizationSpec, Sharing
from lightning_modules.projectors import MLP, ProjectorFactory

CHANNELS, WIDTH, HIDDEN = 6, 5, 4
TARGETS = {"spatial": WIDTH, "frequency": WIDTH}


def distillation(sharing: Sharing, projector: ProjectorFactory) -> FeatureDistillation:
    plain = HomogenizationSpec(weighting="sum", rotate=False)
    built = FeatureDistillation(
        CHANNELS, TARGETS, projector, sharing, False, "normalized_mse", plain
    )
    return built.double()


def drawn_targets() -> dict[str, Tensor]:
    return {name: torch.randn(3, WIDTH, 2, 2, dtype=torch.float64) for name in TARGETS}


def weighted(module: nn.Module) -> list[nn.Module]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d)]


def test_a_shared_trunk_contains_two_dedicated_projectors() -> None:
    dedicated = distillation("none", partial(MLP, hidden_channels=HIDDEN))
    trunk = distillation("trunk", partial(MLP, hidden_channels=2 * HIDDEN))
    parts = zip(*(weighted(one) for one in dedicated.projectors), weighted(trunk), strict=True)
    with torch.no_grad():
        for index, (first, second, both) in enumerate(parts):
            for name, value in both.named_parameters():
                own = [dict(part.named_parameters())[name] for part in (first, second)]
                last = index == len(weighted(trunk)) - 1 and name == "weight"
                joined = torch.block_diag(*(w.flatten(1) for w in own)) if last else torch.cat(own)
                value.copy_(joined.view_as(value))
    z = torch.randn(3, CHANNELS, 2, 2, dtype=torch.float64, requires_grad=True)
    targets = drawn_targets()
    distances = [model(z, targets)[1] for model in (dedicated, trunk)]
    gradients = [torch.autograd.grad(sum(d.values()), z)[0] for d in distances]  # type: ignore[arg-type]
    for name in TARGETS:
        torch.testing.assert_close(distances[0][name], distances[1][name], rtol=0, atol=1e-12)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def test_one_output_for_opposed_targets_conflicts_and_dedicated_projectors_need_not() -> None:
    spatial = drawn_targets()["spatial"]
    targets = {"spatial": spatial, "frequency": -spatial}
    z = torch.randn(3, CHANNELS, 2, 2, dtype=torch.float64, requires_grad=True)
    cosines = {}
    for sharing in ("output", "none"):
        model = distillation(sharing, MLP)  # type: ignore[arg-type]
        if sharing == "none":  # opposed projectors fit opposed targets
            model.projectors[1].load_state_dict(model.projectors[0].state_dict())
            last = weighted(model.projectors[1])[-1]
            for parameter in last.parameters():
                parameter.data.neg_()
        _, distances = model(z, targets)
        torch.stack(list(distances.values())).sum().backward()
        assert model.homogenizer.last is not None
        cosines[sharing] = model.homogenizer.last.cosines[0, 1].item()
    assert cosines["output"] < -0.5
    assert cosines["none"] > 0.99
