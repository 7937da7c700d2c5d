"""Latency and throughput of every student of configs/student, and of the teacher."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from benchmarks.device.teacher_precision import CONFIGS, SIZE, teacher
from benchmarks.device.timing import interleaved
from lightning_modules.networks.backbone import BranchSpec, count_macs, count_parameters
from lightning_modules.networks.student import StudentNetwork
from lightning_modules.networks.timm_models import without_pretrained_weights


def students() -> dict[str, nn.Module]:
    """Build the students by the name of their configuration, the miniature's excepted."""
    networks = {}
    for path in sorted((CONFIGS / "student").glob("*.yaml")):
        if path.stem != "mini":
            spec = yaml.safe_load(path.read_text())["model"]["init_args"]["student"]
            with without_pretrained_weights():
                networks[path.stem] = StudentNetwork(BranchSpec(**spec), SIZE)
    return networks


def measure(
    name: str, device: torch.device, work: Path, *, quick: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure single images and batches, in float32."""
    batch = 4 if quick else 128
    for kind, network in {**students(), "teacher": teacher()}.items():
        network.to(device, memory_format=torch.channels_last).eval()

        def score(count: int, network: nn.Module = network) -> object:
            images = torch.zeros(count, 3, SIZE, SIZE, device=device)
            with torch.inference_mode():
                return network(images.to(memory_format=torch.channels_last))

        rounds = 1 if quick else 20
        single = min(interleaved({"": lambda: score(1)}, device, rounds)[""])
        whole = min(interleaved({"": lambda: score(batch)}, device, rounds)[""])
        yield (
            kind,
            {
                "parameters": count_parameters(network),
                "macs": count_macs(network, SIZE),
                "latency_milliseconds": 1e3 * single,
                "images_per_second": batch / whole,
            },
        )
