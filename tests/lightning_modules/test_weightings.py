"""Every weighting: TorchJD's against its own aggregators, and what all of them must keep."""

from importlib.util import find_spec

import pytest
import torch
from torch import Tensor
from torchjd import aggregation
from torchjd.aggregation import Aggregator

from errors import InputError
from lightning_modules.homogenization import GradientHomogenizer
from lightning_modules.homogenization.registry import WEIGHTINGS, create_weighting
from lightning_modules.homogenization.torchjd_weightings import OF_SUMS

AGGREGATORS: dict[str, Aggregator] = {
    "sum": aggregation.Sum(),
    "aligned-mtl": aggregation.AlignedMTL(),
    "dualproj": aggregation.DualProj(),
    "gradvac": aggregation.GradVac(),
    "imtl-g": aggregation.IMTLG(),
    "mgda": aggregation.MGDA(),
    "pcgrad": aggregation.PCGrad(),
    "upgrad": aggregation.UPGrad(),
}
# CAGrad needs cvxpy, an extra of TorchJD's.
AVAILABLE = sorted(set(WEIGHTINGS) - {"cagrad"})
SHAPES = [(5, 8), (5, 8, 3, 2)]


def at_feature(homogenizer: GradientHomogenizer, gradients: Tensor) -> Tensor:
    z = torch.zeros_like(gradients[0]).requires_grad_()
    torch.autograd.backward(homogenizer(z), list(gradients))
    assert z.grad is not None
    return z.grad


def make(weighting: str, tasks: int) -> GradientHomogenizer:
    return GradientHomogenizer(tasks, 8, weighting=weighting, rotate=False).double()


@pytest.mark.parametrize("name", AGGREGATORS)
@pytest.mark.parametrize("shape", SHAPES, ids=["vector", "map"])
@pytest.mark.parametrize("tasks", [2, 3])
def test_equals_torchjd_on_the_full_jacobian(name: str, shape: tuple[int, ...], tasks: int) -> None:
    if name in ("pcgrad", "gradvac") and tasks == 3:
        torch.manual_seed(0)  # for three tasks both draw the order, with this seed
    homogenizer = make(name, tasks)
    gradients = torch.randn(
        tasks, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(7)
    )
    gradients[1] -= 0.8 * gradients[0]  # a conflict to resolve
    torch.manual_seed(0)
    strength = 1 if name in ("sum", "gradvac", *OF_SUMS) else tasks
    expected = strength * AGGREGATORS[name](gradients.flatten(1)).view(shape)
    if name == "gradvac":
        AGGREGATORS[name].reset()  # type: ignore[operator]
    torch.testing.assert_close(at_feature(homogenizer, gradients), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", AVAILABLE)
def test_one_task_is_unchanged(name: str) -> None:
    gradients = torch.randn(1, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(
        at_feature(make(name, 1), gradients), gradients[0], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("name", AVAILABLE)
def test_a_task_without_a_gradient_neither_breaks_nor_takes_over(name: str) -> None:
    gradients = torch.randn(2, 5, 8, dtype=torch.float64)
    gradients[1] = 0
    dz = at_feature(make(name, 2), gradients)
    assert dz.isfinite().all()
    assert torch.cosine_similarity(dz.flatten(), gradients[0].flatten(), dim=0) > 0.999


@pytest.mark.parametrize("name", [n for n in AVAILABLE if n not in ("sum", "random")])
def test_no_gradient_at_all_gives_none(name: str) -> None:
    dz = at_feature(make(name, 2), torch.zeros(2, 5, 8, dtype=torch.float64))
    assert torch.equal(dz, torch.zeros_like(dz))


@pytest.mark.parametrize("name", AVAILABLE)
def test_what_is_drawn_follows_from_the_calls_alone(name: str) -> None:
    """So ranks with different random states agree, and a resumed run repeats the draws."""
    gradients = torch.randn(6, 3, 5, 8, dtype=torch.float64)
    whole, resumed = make(name, 3), make(name, 3)
    expected = [at_feature(whole, step) for step in gradients]
    torch.manual_seed(1)
    first = make(name, 3)
    for step in gradients[:3]:
        at_feature(first, step)
    resumed.load_state_dict(first.state_dict())
    torch.manual_seed(2)
    state = torch.get_rng_state()
    for step, want in zip(gradients[3:], expected[3:], strict=True):
        assert torch.equal(at_feature(resumed, step), want)
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is unchanged


@pytest.mark.parametrize("name", AVAILABLE)
def test_a_common_scale_scales_the_gradient(name: str) -> None:
    """So a loss scaler leaves the step as it is."""
    plain, scaled = make(name, 2), make(name, 2)
    for gradients in torch.randn(3, 2, 5, 8, dtype=torch.float64):
        expected = 1024 * at_feature(plain, gradients)
        dz = at_feature(scaled, 1024 * gradients)
        torch.testing.assert_close(dz, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(AVAILABLE) - {"random"}))
@pytest.mark.parametrize("tasks", [2, 3])
def test_orthogonal_gradients_of_one_norm_are_summed(name: str, tasks: int) -> None:
    """So weightings differ by their direction where tasks conflict, and not by their strength."""
    gradients = torch.eye(8, dtype=torch.float64)[:tasks, None]
    expected = gradients.sum(dim=0)
    dz = at_feature(make(name, tasks), gradients)
    torch.testing.assert_close(dz, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["pcgrad", "upgrad", "dualproj", "mgda"])
def test_conflicts_are_resolved(name: str) -> None:
    first, second = torch.randn(2, 5, 8, dtype=torch.float64)
    gradients = torch.stack([first, second - 1.2 * first])
    dz = at_feature(make(name, 2), gradients)
    cosines = torch.cosine_similarity(gradients.flatten(1), dz.flatten()[None], dim=1)
    assert cosines.min() > -1e-3


@pytest.mark.skipif(find_spec("cvxpy") is not None, reason="nothing is missing")
def test_a_missing_package_is_named() -> None:
    with pytest.raises(InputError, match=r"cagrad.*torchjd\[cagrad\]"):
        create_weighting("cagrad", 2, 20)


def test_a_misspelt_name_suggests_near_ones() -> None:
    with pytest.raises(InputError, match="pcgrad"):
        create_weighting("pcgrd", 2, 20)
