"""Precision, memory layout and compilation: each takes effect and leaves checkpoints unchanged."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_modules.homogenization.rotations import orthogonality_error
from tests.support.runs import Probe, distil, mistake, results

ARGS = "--model.init_args"
PROBED = "--trainer.callbacks+=tests.support.runs.Probe"


def weights(run: Path) -> dict[str, Tensor]:
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


@pytest.fixture(scope="module")
def plain(tiny_crops: Path, tiny_teacher: Path, tmp_path_factory) -> Path:
    """A distilled student's run in float32 of four steps, which the others are compared with."""
    from tests.conftest import run_fit

    folder: Path = tmp_path_factory.mktemp("plain") / "run"

    def fit(configs: tuple[str, ...], *argv: str) -> Path:
        return run_fit(tiny_crops, folder, configs, *argv)

    return distil(fit, tiny_teacher, "two-in-one", PROBED)


def test_maps_lie_channels_last(plain: Path) -> None:
    assert Probe.seen == {(torch.float32, torch.channels_last)}
    layers = [value for value in weights(plain).values() if value.ndim == 4 and value.shape[2] > 1]
    assert layers
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in layers)


@pytest.mark.parametrize(("precision", "dtype", "device"), [
    ("bf16-mixed", torch.bfloat16, "cpu"),
    ("16-mixed", torch.float16, "cuda"),
])  # fmt: skip
def test_mixed_precision_computes_in_half_and_keeps_whole_weights(
    precision: str, dtype: torch.dtype, device: str, fit, plain: Path, tiny_teacher: Path
) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    argv = [f"--trainer.precision={precision}", f"--trainer.accelerator={device}", PROBED]
    half = weights(distil(fit, tiny_teacher, "two-in-one", *argv))
    assert Probe.seen == {(dtype, torch.channels_last)}
    whole = weights(plain)
    assert {name: value.dtype for name, value in half.items()} == {
        name: value.dtype for name, value in whole.items()
    }
    name = "student.classifier.weight"
    assert not torch.equal(half[name], whole[name])
    torch.testing.assert_close(half[name].cpu(), whole[name], rtol=0.2, atol=5e-3)
    assert orthogonality_error(half["distillation.homogenizer.rotations"]) < 1e-5


def test_compiled_branches_compute_the_same(fit, plain: Path, tiny_teacher: Path) -> None:
    from torch._dynamo.utils import counters

    counters.clear()
    run = distil(fit, tiny_teacher, "two-in-one", f"{ARGS}.compile=aot_eager")
    assert counters["stats"]["unique_graphs"] >= 3  # the student's branch, and two of its teacher
    compiled, whole = weights(run), weights(plain)
    assert compiled.keys() == whole.keys()
    for name, value in whole.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4)
    assert results(run)["model"] == results(plain)["model"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([f"{ARGS}.compile=inducter"], "did you mean inductor"),
        ([f"{ARGS}.compile=eager", f"{ARGS}.stage=1"], "compile with stage 1"),
        (["--trainer.precision=bf16-true"], "use bf16-mixed"),
        (["--trainer.precision=16-mixed"], "needs a GPU"),
    ],
)
def test_what_cannot_work_is_one_line(argv: list[str], expected: str, fit, capsys) -> None:
    assert expected in mistake(lambda: fit(("student/mini", "methods/student"), *argv), capsys)
