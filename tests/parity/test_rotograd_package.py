"""Comparison with the official package, in a separate environment: `make test-parity`.

The losses are linear in the views, so that their gradients can be prescribed.
"""

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.homogenization import GradientHomogenizer
from lightning_modules.homogenization.rotations import haar_rotations, lie_gradients, rows_of

rotograd = pytest.importorskip("rotograd", reason="run `make test-parity`")

BATCH, CHANNELS = 5, 8


def draw_rotations(tasks: int) -> Tensor:
    """Draw rotations in double precision, which the package checks."""
    q, r = torch.linalg.qr(haar_rotations(tasks, CHANNELS).double())
    return q * r.diagonal(dim1=1, dim2=2).sign()[:, None, :]


def backpropagate(module: nn.Module, z: Tensor, gradients: Tensor) -> Tensor:
    """Backpropagate gradients through the views of z, and return the gradient of z."""
    z = z.clone().requires_grad_()
    losses = [(v * g).sum() for v, g in zip(module(z), gradients, strict=True)]
    if isinstance(module, GradientHomogenizer):
        torch.stack(losses).sum().backward()
    else:
        module.backward(losses)  # type: ignore[operator]
    assert z.grad is not None
    return z.grad


@pytest.mark.filterwarnings("ignore")  # of the package, which is older than torch
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tasks", [2, 3])
@pytest.mark.parametrize("post_shape", [(), (3, 2)], ids=["vector", "map"])
@pytest.mark.parametrize("name", ["RotoGrad", "RotateOnly"])
def test_random_steps_equal_those_of_the_package(
    name: str, post_shape: tuple[int, ...], tasks: int, seed: int
) -> None:
    torch.manual_seed(seed)
    rotations = draw_rotations(tasks)
    package = getattr(rotograd, name)(
        nn.Identity(),
        [nn.Identity() for _ in range(tasks)],
        CHANNELS,
        post_shape=post_shape,
        burn_in_period=1,
    ).double()
    for k, rotation in enumerate(rotations):
        setattr(package, f"rotation_{k}", rotation)
    weighting = "rotograd" if name == "RotoGrad" else "sum"
    ours = GradientHomogenizer(tasks, CHANNELS, weighting=weighting, burn_in=1).double()
    ours.set_rotations(rotations)

    steps = torch.randn(3, tasks + 1, BATCH, CHANNELS, *post_shape, dtype=torch.float64)
    for step, (z, *gradients) in enumerate(steps):
        wanted = torch.stack(gradients)
        dz = backpropagate(ours, z, wanted)
        torch.testing.assert_close(dz, backpropagate(package, z, wanted), rtol=0, atol=1e-12)
        if step == 0:  # the package adds its later steps' gradients to this one
            compare_rotation_gradients(package, ours, wanted)


def compare_rotation_gradients(
    package: nn.Module, ours: GradientHomogenizer, gradients: Tensor
) -> None:
    """The package's gradient is ours times 2 |mean g| |g_k|, of a map by image."""
    assert ours._gradients is not None
    unit = ours.unit_gradients(rows_of(ours._gradients))
    at_z = torch.stack(
        [g.movedim(1, -1) @ r for g, r in zip(gradients, ours.rotations, strict=True)]
    )
    for k, omega in enumerate(lie_gradients(unit)):
        factor = 2 * at_z.mean(0).norm() * at_z[k].norm() / (BATCH if gradients.ndim > 3 else 1)
        got = package.get_parameter(f"parametrizations.rotation_{k}.original").grad
        torch.testing.assert_close(got, factor * omega.tril(-1), rtol=1e-10, atol=1e-10)
