import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from errors import InputError
from lightning_modules.homogenization import GradientHomogenizer
from lightning_modules.homogenization.rotations import (
    haar_rotations,
    lie_gradients,
    orthogonality_error,
    retract,
    retract_low_rank,
    rows_of,
    sample_rows,
)

REFERENCE = Path(__file__).parents[1] / "reference" / "rotograd_reference.npz"
TASKS, BATCH, CHANNELS = 2, 5, 8
CASES = {
    # case: weighting, burn-in
    "roto": ("rotograd", 20),
    "rotonly": ("sum", 20),
    "burnin1": ("rotograd", 1),
    "spatial": ("rotograd", 20),
}


def backward(
    homogenizer: GradientHomogenizer, gradients: Tensor, z: Tensor | None = None
) -> Tensor:
    """Send given gradients back through the views; the gradient that arrives at z."""
    z = torch.randn_like(gradients[0]) if z is None else z
    z = z.clone().requires_grad_()
    views = homogenizer(z)
    torch.autograd.backward(views, list(gradients))
    assert z.grad is not None
    return z.grad


def last_unit_gradients(homogenizer: GradientHomogenizer) -> Tensor:
    assert homogenizer._gradients is not None
    return homogenizer.unit_gradients(rows_of(homogenizer._gradients))


def make(**options: object) -> GradientHomogenizer:
    settings = {"num_tasks": TASKS, "channels": CHANNELS} | options
    return GradientHomogenizer(**settings).double()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    """What the PyPI package rotograd 0.1.6.0, with geotorch 0.3.0, computed in float64."""
    with np.load(REFERENCE, allow_pickle=False) as vectors:
        return dict(vectors)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_official_package(case: str, reference: dict[str, np.ndarray]) -> None:
    weighting, burn_in = CASES[case]
    homogenizer = make(weighting=weighting, burn_in=burn_in)
    for call in (1, 2):
        # The ablations share the inputs of "roto"; what is not stored is the same as there.
        vector = {
            name: torch.from_numpy(
                reference.get(f"{case}_it{call}_{name}", reference[f"roto_it{call}_{name}"])
            )
            for name in ("z", "g_rot", "R", "dz")
        }
        homogenizer.set_rotations(vector["R"])
        dz = backward(homogenizer, vector["g_rot"], vector["z"])
        torch.testing.assert_close(dz, vector["dz"], rtol=0, atol=1e-12)


def test_rotation_gradient_is_the_official_one_up_to_the_known_factor(reference) -> None:
    homogenizer = make()
    homogenizer.set_rotations(torch.from_numpy(reference["roto_it1_R"]))
    backward(homogenizer, torch.from_numpy(reference["roto_it1_g_rot"]))
    gradients = torch.from_numpy(reference["roto_it1_g_z"])
    norms = gradients.flatten(1).norm(dim=1)
    factor = 2 * gradients.mean(0).norm() * norms
    scaled = factor[:, None, None] * lie_gradients(last_unit_gradients(homogenizer))
    expected = torch.from_numpy(reference["roto_it1_dskew"])
    torch.testing.assert_close(scaled.tril(-1), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("weighting", ["sum", "rotograd"])
@pytest.mark.parametrize("shape", [(BATCH, CHANNELS), (BATCH, CHANNELS, 3, 2)])
def test_permuting_the_tasks_changes_nothing(weighting: str, shape: tuple[int, ...]) -> None:
    gradients = torch.randn(3, *shape, dtype=torch.float64)
    rotations = haar_rotations(3, CHANNELS).double()
    order = torch.tensor([2, 0, 1])
    results = []
    for permutation in (torch.arange(3), order):
        homogenizer = make(num_tasks=3, weighting=weighting)
        homogenizer.set_rotations(rotations[permutation])
        results.append(backward(homogenizer, gradients[permutation]))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("weighting", ["sum", "rotograd"])
def test_a_common_scale_scales_the_gradient(weighting: str) -> None:
    first, second = (torch.randn(TASKS, BATCH, CHANNELS, dtype=torch.float64) for _ in range(2))
    plain, scaled = make(weighting=weighting), make(weighting=weighting)
    for gradients in (first, second):
        expected = 1024 * backward(plain, gradients)
        torch.testing.assert_close(backward(scaled, 1024 * gradients), expected)


def test_every_task_gets_the_same_norm() -> None:
    homogenizer = make(weighting="rotograd")
    backward(homogenizer, torch.randn(TASKS, BATCH, CHANNELS, dtype=torch.float64) * 3)
    assert homogenizer.last is not None
    scaled = homogenizer.last.weights * homogenizer.last.norms
    torch.testing.assert_close(scaled[0], scaled[1])


def test_identical_tasks_are_summed() -> None:
    gradient = torch.randn(BATCH, CHANNELS, dtype=torch.float64)
    dz = backward(make(rotate=False), torch.stack([gradient, gradient]))
    torch.testing.assert_close(dz, 2 * gradient)


def test_opposed_tasks_cancel() -> None:
    gradient = torch.randn(BATCH, CHANNELS, dtype=torch.float64)
    dz = backward(make(rotate=False), torch.stack([gradient, -gradient]))
    torch.testing.assert_close(dz, torch.zeros_like(dz))


def test_a_task_without_a_gradient_neither_breaks_nor_takes_over() -> None:
    gradients = torch.randn(TASKS, BATCH, CHANNELS, dtype=torch.float64)
    gradients[1] = 0
    homogenizer = make(rotate=False)
    torch.testing.assert_close(backward(homogenizer, gradients), gradients[0])
    gradients[1] = 1e-3
    assert backward(homogenizer, gradients).isfinite().all()


def test_one_task_is_unchanged() -> None:
    gradients = torch.randn(1, BATCH, CHANNELS, dtype=torch.float64)
    torch.testing.assert_close(backward(make(num_tasks=1, rotate=False), gradients), gradients[0])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_step_that_is_not_finite_leaves_the_state_untouched(value: float) -> None:
    homogenizer = make()
    backward(homogenizer, torch.randn(TASKS, BATCH, CHANNELS, dtype=torch.float64))
    homogenizer.step_rotations(0.1)
    before = {name: x.clone() for name, x in homogenizer.named_buffers()}
    broken = torch.randn(TASKS, BATCH, CHANNELS, dtype=torch.float64)
    broken[0, 0, 0] = value
    assert not backward(homogenizer, broken).isfinite().all()
    homogenizer.step_rotations(0.1)
    for name, x in homogenizer.named_buffers():
        assert torch.equal(x, before[name]), name


def test_a_skipped_step_leaves_the_state_untouched_wherever_the_overflow_was() -> None:
    """The gradients at z are finite, so the backward itself has advanced the weighting."""
    homogenizer = make()
    backward(homogenizer, torch.randn(TASKS, BATCH, CHANNELS, dtype=torch.float64))
    homogenizer.step_rotations(0.1)
    before = {name: x.clone() for name, x in homogenizer.named_buffers()}
    backward(homogenizer, torch.randn(TASKS, BATCH, CHANNELS, dtype=torch.float64))
    homogenizer.discard_step()
    homogenizer.step_rotations(0.1)
    for name, x in homogenizer.named_buffers():
        assert torch.equal(x, before[name]), name


def test_rotations_turn_the_tasks_towards_each_other() -> None:
    targets = torch.randn(TASKS, BATCH, CHANNELS, dtype=torch.float64)
    homogenizer = make(weighting="sum")
    cosines = []
    for _ in range(200):
        # The gradient at each rotated view is fixed, so only R can bring the tasks together.
        backward(homogenizer, targets)
        assert homogenizer.last is not None
        cosines.append(float(homogenizer.last.cosines[0, 1]))
        homogenizer.step_rotations(0.5)
    assert cosines[-1] > cosines[0] + 0.3


@pytest.mark.slow
@pytest.mark.parametrize("channels", [CHANNELS, 4 * BATCH], ids=["dense", "low rank"])
def test_rotations_stay_orthogonal_over_ten_thousand_steps(channels: int) -> None:
    homogenizer = GradientHomogenizer(TASKS, channels)
    for _ in range(10_000):
        backward(homogenizer, torch.randn(TASKS, BATCH, channels))
        homogenizer.step_rotations(0.1)
    assert orthogonality_error(homogenizer.rotations) <= 1e-5


def test_cayleys_step_stays_on_so_and_follows_the_geodesic_to_third_order() -> None:
    skew = torch.randn(3, 16, 16, dtype=torch.float64)
    skew = skew - skew.mT
    rotations = haar_rotations(3, 16).double()
    rotations = torch.linalg.qr(rotations).Q
    assert orthogonality_error(retract(rotations, 10 * skew)) < 1e-12
    errors = [
        (retract(rotations, h * skew) - rotations @ torch.linalg.matrix_exp(h * skew)).norm()
        for h in (1e-2, 1e-3)
    ]
    assert errors[1] < 2e-3 * errors[0]


@pytest.mark.parametrize("lr", [1e-3, 0.1, 30.0])
def test_the_low_rank_step_is_cayleys_step(lr: float) -> None:
    unit = torch.nn.functional.normalize(torch.randn(3, 2 * 16, dtype=torch.float64), dim=1)
    unit = unit.view(3, 2, 16)
    rotations = haar_rotations(3, 16).double()
    expected = retract(rotations, -lr * lie_gradients(unit))
    moved = retract_low_rank(rotations, unit, lr)
    torch.testing.assert_close(moved, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(40, CHANNELS), (10, CHANNELS, 2, 2)], ids=["vector", "map"])
def test_gradients_of_sampled_rows_have_the_mean_of_all(shape: tuple[int, ...]) -> None:
    gradients = torch.randn(TASKS, *shape, dtype=torch.float64)
    whole = lie_gradients(rows_of(gradients))
    draws = torch.stack([lie_gradients(sample_rows(gradients, 4, seed)) for seed in range(4000)])
    error = draws.std(dim=0) / len(draws) ** 0.5
    distance = (draws.mean(dim=0) - whole).abs()
    assert (distance <= 5 * error + 1e-12).all()
    assert torch.equal(sample_rows(gradients, 40, 0), rows_of(gradients))


@pytest.mark.parametrize(
    ("channels", "interval"), [(32, 1), (127, 1), (320, 5), (576, 9), (1024, 16), (2048, 32)]
)
def test_the_interval_follows_the_width(channels: int, interval: int) -> None:
    assert GradientHomogenizer(1, channels).rotation_interval == interval
    assert GradientHomogenizer(1, channels, rotation_interval=3).rotation_interval == 3


def test_a_state_restored_between_two_moves_continues_exactly() -> None:
    steps = torch.randn(8, TASKS, 40, CHANNELS)
    whole, first, resumed = (
        GradientHomogenizer(TASKS, CHANNELS, rotation_interval=4) for _ in range(3)
    )

    def walk(homogenizer: GradientHomogenizer, part: Tensor) -> None:
        for gradients in part:
            backward(homogenizer, gradients)
            homogenizer.step_rotations(0.1)

    walk(whole, steps)
    walk(first, steps[:6])
    resumed.load_state_dict(copy.deepcopy(first.state_dict()))
    walk(resumed, steps[6:])
    assert (whole.rotations[0].diagonal() < 1).any()
    assert torch.equal(resumed.rotations, whole.rotations)


def test_a_state_restored_before_the_move_to_a_device_moves_with_the_module() -> None:
    first, resumed = (GradientHomogenizer(TASKS, CHANNELS, rotation_interval=4) for _ in range(2))
    backward(first, torch.randn(TASKS, 40, CHANNELS))
    first.step_rotations(0.1)
    resumed.load_state_dict(copy.deepcopy(first.state_dict()))
    moved = resumed.to("meta").get_extra_state()["rows"]
    assert moved.shape == first.get_extra_state()["rows"].shape
    assert moved.device == resumed.rotations.device


def test_half_precision_gradients_are_weighted_in_float32() -> None:
    gradients = torch.randn(TASKS, BATCH, CHANNELS) * 1e-4
    gradients[0] *= 1e4
    homogenizer = GradientHomogenizer(TASKS, CHANNELS, rotate=False)
    dz = backward(homogenizer, gradients.half())
    assert dz.dtype == torch.float16
    assert homogenizer.last is not None
    assert homogenizer.last.gramian.dtype == torch.float32
    assert dz.isfinite().all()


def test_a_restored_state_continues_exactly() -> None:
    steps = torch.randn(6, TASKS, BATCH, CHANNELS, dtype=torch.float64)
    whole, resumed = make(burn_in=4), make(burn_in=4)

    def walk(homogenizer: GradientHomogenizer, part: Tensor) -> list[Tensor]:
        out = []
        for gradients in part:
            out.append(backward(homogenizer, gradients))
            homogenizer.step_rotations(0.1)
        return out

    expected = walk(whole, steps)
    first = make(burn_in=4)
    walk(first, steps[:3])
    resumed.load_state_dict(first.state_dict())
    for got, want in zip(walk(resumed, steps[3:]), expected[3:], strict=True):
        assert torch.equal(got, want)


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match="rotograd"):
        make(weighting="rotogad")
    with pytest.raises(ValueError, match="8 channels, z has 7"):
        make()(torch.zeros(2, 7, dtype=torch.float64))
    with pytest.raises(InputError, match="SO"):
        make().set_rotations(torch.ones(TASKS, CHANNELS, CHANNELS, dtype=torch.float64))
    with pytest.raises(InputError, match="SO"):
        make().set_rotations(torch.full((TASKS, CHANNELS, CHANNELS), torch.nan))
    reflections = torch.eye(CHANNELS).repeat(TASKS, 1, 1)
    reflections[1, 0, 0] = -1
    with pytest.raises(InputError, match="smallest determinant -1"):
        make().set_rotations(reflections)
    with pytest.raises(InputError, match="shape"):
        make().set_rotations(torch.eye(3, dtype=torch.float64)[None])


@pytest.mark.parametrize("layer", [nn.Conv2d(8, 6, 1), nn.Conv2d(8, 6, 3), nn.Linear(8, 6)])
def test_a_folded_rotation_is_the_same_function_with_the_same_gradients(layer: nn.Module) -> None:
    shape = (BATCH, CHANNELS, 4, 4) if isinstance(layer, nn.Conv2d) else (BATCH, CHANNELS)
    rotations = torch.linalg.qr(haar_rotations(TASKS, CHANNELS).double()).Q
    rotations[:, :, 0] *= torch.linalg.det(rotations)[:, None]
    results = []
    for fold in (False, True):
        heads = [copy.deepcopy(layer).double() for _ in range(TASKS)]
        homogenizer = make()
        homogenizer.set_rotations(rotations)
        if fold:
            for k, head in enumerate(heads):
                homogenizer.fold_into(k, [head])
        torch.manual_seed(0)
        for _ in range(3):
            z = torch.randn(shape, dtype=torch.float64, requires_grad=True)
            outputs = [head(view) for head, view in zip(heads, homogenizer(z), strict=True)]
            torch.stack(
                [(k + 1) * o.square().sum() for k, o in enumerate(outputs)]
            ).sum().backward()
            homogenizer.step_rotations(0.1)
        assert z.grad is not None
        weights = [next(p for p in h.parameters() if p.ndim > 1).grad for h in heads]
        results.append([*outputs, z.grad, *weights, homogenizer.rotations])
    for viewed, folded in zip(*results, strict=True):
        torch.testing.assert_close(folded, viewed, rtol=1e-9, atol=1e-9)


def test_rotations_move_every_so_many_steps_and_then_so_much_farther() -> None:
    gradients = torch.randn(
        TASKS, 4, CHANNELS, dtype=torch.float64
    )  # so few that all rows are used
    often, seldom = make(), make(rotation_interval=4)
    for step in range(4):
        for homogenizer in (often, seldom):
            backward(homogenizer, gradients)
            homogenizer.step_rotations(1e-4)
        moved = (
            orthogonality_error(seldom.rotations) + (seldom.rotations[0].diagonal() - 1).abs().max()
        )
        assert (moved > 0) == (step == 3)
    torch.testing.assert_close(often.rotations, seldom.rotations, rtol=0, atol=1e-6)


def test_a_loss_scale_that_changes_leaves_the_gradient_as_it_is() -> None:
    """The second task has its first gradient, and its g^0, under another scale than the first."""
    steps = torch.randn(3, TASKS, BATCH, CHANNELS, dtype=torch.float64)
    steps[0, 1] = 0
    plain, scaled = make(), make()
    for gradients, scale in zip(steps, (1024.0, 256.0, 512.0), strict=True):
        expected = backward(plain, gradients)
        z = torch.zeros(BATCH, CHANNELS, dtype=torch.float64, requires_grad=True)
        views = scaled(z, loss_scale=torch.tensor(scale))
        torch.autograd.backward(views, list(scale * gradients))
        assert z.grad is not None
        torch.testing.assert_close(z.grad, scale * expected)
        for homogenizer in (plain, scaled):
            homogenizer.step_rotations(0.1)
    torch.testing.assert_close(plain.rotations, scaled.rotations)
