import statistics
import time
from collections.abc import Callable, Mapping

import torch


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def interleaved(
    calls: Mapping[str, Callable[[], object]], device: torch.device, rounds: int, repeats: int = 1
) -> dict[str, list[float]]:
    """Time every call once per round, after a round that is not counted; seconds per call."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(rounds + 1):
        for name, call in calls.items():
            wait_for(device)
            began = time.perf_counter()
            for _ in range(repeats):
                call()
            wait_for(device)
            if round_:
                seconds[name].append((time.perf_counter() - began) / repeats)
    return seconds


def against(seconds: Mapping[str, list[float]], reference: str) -> dict[str, dict[str, float]]:
    """Return medians, and medians of the ratios to the reference in the same round."""
    return {
        name: {
            "milliseconds": 1e3 * statistics.median(times),
            "ratio": statistics.median(
                own / other for own, other in zip(times, seconds[reference], strict=True)
            ),
        }
        for name, times in seconds.items()
    }
