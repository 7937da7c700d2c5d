"""Images per second of the frozen teacher by precision."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.device.timing import against, interleaved
from lightning_modules.networks.backbone import BranchSpec
from lightning_modules.networks.multi_branch import MultiBranchNetwork
from lightning_modules.networks.timm_models import without_pretrained_weights

CONFIGS = Path(__file__).parents[2] / "configs"
HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}
SIZE = 256


def teacher() -> MultiBranchNetwork:
    """Build the teacher of configs/teacher/ffpp.yaml from scratch."""
    model = yaml.safe_load((CONFIGS / "teacher" / "ffpp.yaml").read_text())["model"]
    branches = {name: BranchSpec(**b) for name, b in model["init_args"]["branches"].items()}
    with without_pretrained_weights():
        return MultiBranchNetwork(branches, SIZE)


def measure(
    name: str, device: torch.device, work: Path, *, quick: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure the features of a batch as `FrozenTeacher` computes them."""
    network = teacher().to(device, memory_format=torch.channels_last).eval()
    batch = 4 if quick else 64
    images = torch.rand(batch, 3, SIZE, SIZE, device=device)
    images = images.to(memory_format=torch.channels_last)

    def features(precision: str) -> dict[str, torch.Tensor]:
        half = HALF.get(precision)
        context = torch.autocast(device.type, half) if half else nullcontext()
        with torch.inference_mode(), context:
            return network.features(images)

    # The CPU computes in float16, but so slowly that nobody would use it.
    precisions = [p for p in ("float32", *HALF) if device.type != "cpu" or p != "float16"]
    calls = {precision: lambda p=precision: features(p) for precision in precisions}
    seconds = interleaved(calls, device, rounds=1 if quick else 10)
    for precision, row in against(seconds, "float32").items():
        yield precision, row | {"images_per_second": 1e3 * batch / row["milliseconds"]}
    expected, got = features("float32"), features("bfloat16")
    for branch, map_ in expected.items():
        error = (got[branch].float() - map_).norm() / map_.norm()
        yield f"relative error of bfloat16, {branch}", {"error": error.item()}
