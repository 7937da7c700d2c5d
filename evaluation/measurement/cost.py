"""Cost of detectors: parameters, operations, file sizes, latency and throughput."""

import copy
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from errors import InputError, first_line
from evaluation.measurement.models import Model
from inference.crop_scorer import INPUT
from lightning_modules.detector import Detector
from lightning_modules.export import export_onnx
from lightning_modules.teacher import TeacherModule
from records.measurements import NetworkCost, Profile, Timing, Timings
from records.provenance import Machine

BATCHES = {"latency": 1, "throughput": 32}
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# Calls per reading of the clock, so that the clock's own cost is negligible.
_CALLS = {"latency": 10, "throughput": 1}

Call = Callable[[], object]
Score = Callable[[Tensor], object]
Key = tuple[int, str, str]
"""Index of a network, form, and "latency" or "throughput"."""


def measure_costs(
    models: Sequence[Model],
    devices: Sequence[str],
    rounds: int,
    machine: Mapping[str, Any],
    console: Console,
) -> Profile:
    """Measure the cost of every distinct network.

    Each round times all networks in all forms once, so other load on the machine affects all of
    them alike. Figures are medians over the rounds, and so are the ratios to the first teacher in
    the same round and form.

    Args:
        models: Models to measure.
        devices: "cpu" or "cuda".
        rounds: How often everything is timed.
        machine: Record of `callbacks.provenance.machine`.
        console: Where to show the progress.

    Raises:
        InputError: A network returns probabilities that are not finite.
    """
    networks = _by_network(models)
    with tempfile.TemporaryDirectory() as scratch, Progress(console=console) as progress:
        task = progress.add_task("measuring", total=len(networks) + rounds)
        costs = []
        calls: dict[Key, Call] = {}
        not_measured: dict[str, str] = {}
        for index, group in enumerate(networks):
            path, detector = Path(scratch) / f"{index}.onnx", group[0].detector
            costs.append(_sizes(group, path))
            forms, problems = _forms(detector, path, devices)
            not_measured |= problems
            for form, score in forms.items():
                for quantity, batch in BATCHES.items():
                    images = _noise(batch, detector.image_size)
                    calls[index, form, quantity] = partial(score, images)
            progress.advance(task)
        seconds = _time(calls, rounds, partial(progress.advance, task))
    teacher = next((i for i, cost in enumerate(costs) if cost.teacher), None)
    for index, form in dict.fromkeys((index, form) for index, form, _ in seconds):
        costs[index].forms[form] = _timings(seconds, index, form, teacher)
    record = msgspec.convert(machine, Machine)
    return Profile(
        record,
        rounds=rounds,
        threads=torch.get_num_threads(),
        networks=costs,
        not_measured=not_measured,
    )


def _by_network(models: Sequence[Model]) -> list[list[Model]]:
    """Group models by the architecture of their networks, the teacher's first."""
    networks: dict[tuple[int, str], list[Model]] = {}
    for model in models:
        key = model.detector.image_size, repr(model.detector.network)
        networks.setdefault(key, []).append(model)
    return sorted(networks.values(), key=lambda g: not isinstance(g[0].detector, TeacherModule))


def _sizes(group: Sequence[Model], path: Path) -> NetworkCost:
    """Measure a network's cost except its times, and export it to `path` if possible."""
    checkpoint, detector = group[0].checkpoint, group[0].detector
    runs = [model.run.name for model in group]
    images = _noise(8, detector.image_size)
    with torch.inference_mode():
        eager = detector(images).numpy()
    if not np.isfinite(eager).all():
        msg = (
            f"{checkpoint}: returns probabilities that are not finite: omit {', '.join(runs)}, or "
            "train it again with a lower learning rate"
        )
        raise InputError(msg)
    not_exported = difference = None
    try:
        export_onnx(detector, path)
        exported = open_session(path, "cpu").run(["probability"], {INPUT: images.numpy()})[0]
        difference = float(np.abs(eager - exported).max())
    # The exporter raises another exception for each kind of layer that it does not support.
    except Exception as error:
        not_exported = first_line(error)
        path.unlink(missing_ok=True)
    return NetworkCost(
        methods=list(dict.fromkeys(model.run.method for model in group)),
        runs=runs,
        teacher=isinstance(detector, TeacherModule),
        **detector.cost(),
        checkpoint_bytes=checkpoint.stat().st_size,
        onnx_bytes=None if not_exported else path.stat().st_size,
        onnx_difference=difference,
        not_exported=not_exported,
        forms={},
    )


def _forms(
    detector: Detector, onnx: Path, devices: Sequence[str]
) -> tuple[dict[str, Score], dict[str, str]]:
    """Return functions that score crops in memory, and why forms are missing, by device and form.

    A network that was not exported has no ONNX form, and no reason here.
    """
    forms: dict[str, Score] = {}
    not_measured = {}
    for device in devices:
        forms[f"{device} eager"] = partial(_score, copy.deepcopy(detector).to(device), device)
        if onnx.is_file():
            try:
                forms[f"{device} onnx"] = partial(_score_exported, open_session(onnx, device))
            except InputError as error:
                not_measured[f"{device} onnx"] = str(error)
    return forms, not_measured


@torch.inference_mode()
def _score(detector: Detector, device: str, images: Tensor) -> Tensor:
    """Score crops in memory and return the probabilities to memory, as an ONNX session does."""
    probabilities: Tensor = detector(images.to(device))
    return probabilities.cpu()


def _score_exported(session: Any, images: Tensor) -> object:
    return session.run(["probability"], {INPUT: images.numpy()})


def open_session(path: Path, device: str) -> Any:
    """Open an exported network in onnxruntime, with as many threads as in eager mode.

    Raises:
        InputError: onnxruntime cannot use the device.
    """
    # onnxruntime takes a second to import.
    import onnxruntime

    provider = PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        msg = f"onnxruntime was built without {provider}: install onnxruntime-gpu"
        raise InputError(msg)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=[provider])
    # Without the provider's libraries it falls back to the CPU.
    if provider not in session.get_providers():
        msg = f"onnxruntime cannot load {provider}: install the CUDA and cuDNN that it needs"
        raise InputError(msg)
    return session


def _noise(batch: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (batch, 3, size, size), generator=generator, dtype=torch.uint8)


def _time(
    calls: Mapping[Key, Call], rounds: int, advance: Callable[[], None]
) -> dict[Key, list[float]]:
    """Return the seconds per call, one value per round."""
    seconds: dict[Key, list[float]] = {key: [] for key in calls}
    for call in calls.values():
        call()  # warm-up: selects kernels and allocates memory
    for _ in range(rounds):
        for key, call in calls.items():
            repeats = _CALLS[key[2]]
            began = time.perf_counter()
            for _ in range(repeats):
                call()
            seconds[key].append((time.perf_counter() - began) / repeats)
        advance()
    return seconds


def _timings(
    seconds: Mapping[Key, Sequence[float]], index: int, form: str, teacher: int | None
) -> Timings:
    def timing(quantity: str, unit: str) -> Timing:
        own = np.array(seconds[index, form, quantity])
        values = 1e3 * own if unit == "ms" else BATCHES[quantity] / own
        low, high = np.quantile(values, [0.25, 0.75])
        ratio = None
        if teacher is not None and (teacher, form, quantity) in seconds:
            ratio = float(np.median(np.array(seconds[teacher, form, quantity]) / own))
        return Timing(unit, float(np.median(values)), (float(low), float(high)), ratio)

    return Timings(latency=timing("latency", "ms"), throughput=timing("throughput", "crops/s"))
