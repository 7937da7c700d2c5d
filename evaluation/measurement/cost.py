"""What a detector costs beside what it gives: size, work and time, as it is and as exported."""

import copy
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from errors import InputError
from evaluation.measurement.models import Model
from lightning_modules.detector import Detector
from lightning_modules.export import INPUT, export_onnx
from lightning_modules.teacher import TeacherModule

BATCHES = {"latency": 1, "throughput": 32}
# Calls that are timed together: the clock and the loop must weigh nothing beside them.
_CALLS = {"latency": 10, "throughput": 1}

Call = Callable[[], object]
Floats = NDArray[np.float32]


@dataclass
class Network:
    """A network, and the runs that have it: methods whose networks are built alike share one."""

    detector: Detector
    checkpoint: Path
    runs: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its methods."""
        return ", ".join(self.methods)

    @property
    def is_teacher(self) -> bool:
        """Whether it is one that students are compared with."""
        return isinstance(self.detector, TeacherModule)


def distinct_networks(models: Sequence[Model]) -> list[Network]:
    """Gather models by how their networks are built; the teacher comes first."""
    networks: dict[tuple[int, str], Network] = {}
    for model in models:
        key = (model.detector.image_size, repr(model.detector.network))
        network = networks.setdefault(key, Network(model.detector, model.checkpoint))
        network.runs.append(model.run.name)
        if model.run.method not in network.methods:
            network.methods.append(model.run.method)
    return sorted(networks.values(), key=lambda network: not network.is_teacher)


def measure_costs(
    networks: Sequence[Network], folder: Path, devices: Sequence[str], rounds: int
) -> Iterator[dict[str, Any] | None]:
    """Measure networks beside one another.

    A round times every network in every form once, so that whatever else the machine does meets
    them all. A figure is the median over rounds; a ratio is the median over rounds of the ratio to
    the first teacher in the same round, in the same form.

    Args:
        networks: Of `distinct_networks`.
        folder: Where the exported networks are written, to be thrown away.
        devices: cpu, cuda.
        rounds: How often everything is timed.

    Yields:
        Nothing after the export of each network and after each round; at last the figures.
    """
    records = []
    calls: dict[tuple[int, str, str], Call] = {}  # by network, form and quantity
    for index, network in enumerate(networks):
        path = folder / f"{index}.onnx"
        record = _sizes(network, path)
        records.append(record)
        forms = _forms(network.detector, path if record["onnx_bytes"] else None, devices)
        for form, score in forms.items():
            for quantity, batch in BATCHES.items():
                images = _noise(batch, network.detector.image_size)
                calls[index, form, quantity] = score(images)
        yield None
    seconds: dict[tuple[int, str, str], list[float]] = {key: [] for key in calls}
    for call in calls.values():
        call()  # what is done once only, kernels chosen and memory taken, is not timed
    for _ in range(rounds):
        for key, call in calls.items():
            seconds[key].append(_time(call, _CALLS[key[2]]))
        yield None
    teacher = next((i for i, network in enumerate(networks) if network.is_teacher), None)
    for (index, form, quantity), times in seconds.items():
        figures = _figures(quantity, times, seconds.get((teacher, form, quantity)))  # type: ignore[arg-type]
        records[index]["forms"].setdefault(form, {})[quantity] = figures
    yield {"rounds": rounds, "threads": torch.get_num_threads(), "networks": records}


def _sizes(network: Network, path: Path) -> dict[str, Any]:
    """What is counted, not timed; and the exported network, where it can be exported."""
    images, eager = _eager_probabilities(network)
    unexported = difference = None
    try:
        export_onnx(network.detector, path)
        exported = _session(path, "cpu").run(None, {INPUT: images.numpy()})[0]
        difference = float(np.abs(eager - exported).max())
    # The exporter fails in as many ways as there are layers it does not know.
    except Exception as error:
        unexported = (str(error).splitlines() or [type(error).__name__])[0]
    cost = network.detector.cost()
    return {
        "methods": network.methods,
        "runs": network.runs,
        "teacher": network.is_teacher,
        **cost,
        "checkpoint_bytes": network.checkpoint.stat().st_size,
        "onnx_bytes": None if unexported else path.stat().st_size,
        "onnx_difference": difference,
        "not_exported": unexported,
        "forms": {},
    }


def _eager_probabilities(network: Network) -> tuple[Tensor, Floats]:
    """Eight crops of noise, and the probabilities that the network gives them.

    Raises:
        InputError: They are not finite.
    """
    images = _noise(8, network.detector.image_size)
    with torch.inference_mode():
        probabilities = network.detector(images).numpy()
    if not np.isfinite(probabilities).all():
        msg = (
            f"{network.checkpoint}: gives probabilities that are not finite: leave "
            f"{', '.join(network.runs)} out, or train it again with a lower learning rate"
        )
        raise InputError(msg)
    return images, probabilities


def _forms(
    detector: Detector, onnx: Path | None, devices: Sequence[str]
) -> dict[str, Callable[[Tensor], Call]]:
    """By device and form, what makes a timed call of a batch of crops."""
    forms: dict[str, Callable[[Tensor], Call]] = {}
    for device in devices:
        forms[f"{device} eager"] = _eager(detector, device)
        if onnx is not None and _provider(device) in _providers():
            forms[f"{device} onnx"] = _exported(onnx, device)
    return forms


def _eager(detector: Detector, device: str) -> Callable[[Tensor], Call]:
    """From crops in memory to probabilities in memory, as the exported form has it."""
    placed = copy.deepcopy(detector).to(device)

    def prepare(images: Tensor) -> Call:
        def call() -> None:
            with torch.inference_mode():
                placed(images.to(device)).cpu()

        return call

    return prepare


def _exported(path: Path, device: str) -> Callable[[Tensor], Call]:
    session = _session(path, device)
    return lambda images: lambda: session.run(None, {INPUT: images.numpy()})


def _session(path: Path, device: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # as eager mode has
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=[_provider(device)])


def _provider(device: str) -> str:
    return {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]


def _providers() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def _noise(batch: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (batch, 3, size, size), generator=generator, dtype=torch.uint8)


def _time(call: Call, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times


def _figures(
    quantity: str, seconds: Sequence[float], teacher: Sequence[float] | None
) -> dict[str, Any]:
    """Median, quartiles, and the ratio to the teacher: above 1 is better than it."""
    values = [1e3 * s if quantity == "latency" else BATCHES[quantity] / s for s in seconds]
    ratio = None
    if teacher is not None:
        ratio = statistics.median(t / s for t, s in zip(teacher, seconds, strict=True))
    return {
        "unit": "ms" if quantity == "latency" else "crops/s",
        "median": statistics.median(values),
        "quartiles": [float(q) for q in np.quantile(values, [0.25, 0.75])],
        "times_better_than_teacher": ratio,
    }
