import os
import platform
from typing import Any

import torch

from records.provenance import processor_name


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures were measured on."""
    gpu = {}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        gpu = {
            "gpu_memory_gib": round(properties.total_memory / 2**30, 1),
            "compute_capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        **gpu,
        "cpu": processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
