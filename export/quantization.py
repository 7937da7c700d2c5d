"""The network in 8 bits, with its gate."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray

from evaluation.metrics.auc import auc_contributions
from export.validation import auc_difference
from faces.onnx_networks import open_session
from inference.card import Quantized
from inference.crop_scorer import INPUT
from records.results import Interval

ZONE = 0.005
"""The paired interval of the difference of video AUC must lie within ± this."""

_ROUNDS = 40
# Calibration images per layer while the layers are sorted.
_FEW_IMAGES = 16
_QUANTIZED = ("Conv", "Gemm")
# Doubled until the gate passes or half of the layers would be left in float.
_FIRST_LEFT = 1

Score = Callable[[Path], pd.DataFrame]
"""Scores the validation videos with a network, or a sample of them; one row per video."""


class _Images:
    """Calibration images in onnxruntime's interface."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(images[:, None])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def write_int8(
    network: Path, target: Path, images: NDArray[np.uint8], score: Score, sample: Score
) -> Quantized:
    """Write a network in 8 bits if its video AUC is that of the network in float.

    Static quantization in QDQ form, weights per channel (Jacob et al., CVPR 2018). Where the gate
    fails, the layers whose own quantization changes the AUC most are left in float.

    Args:
        network: The network in float.
        target: The file to write.
        images: Calibration images `[n, 3, S, S]`, training crops.
        score: Scores all validation videos.
        sample: Scores some of them, for the order of the layers.
    """
    in_float = score(network)
    with tempfile.TemporaryDirectory() as folder:
        prepared, trial = Path(folder) / "prepared.onnx", Path(folder) / "trial.onnx"
        layers = _prepare(network, prepared)
        left: list[str] = []
        order: list[str] | None = None
        while True:
            _quantize(prepared, trial, images, left)
            difference, interval = auc_difference(score(trial), in_float)
            passed = within_zone(interval)
            more = max(_FIRST_LEFT, 2 * len(left))
            if passed or interval is None or more > len(layers) // 2:
                break
            order = order or _by_effect(prepared, trial, layers, images, sample)
            left = order[:more]
        size_ratio = trial.stat().st_size / network.stat().st_size
        times_faster = _times_faster(network, trial, images[:1])
        if passed:
            shutil.copyfile(trial, target)
    return Quantized(
        written=passed,
        reason=_reason(passed, difference, interval, left),
        auc_difference=difference,
        interval=None if interval is None else list(interval),
        size_ratio=size_ratio,
        times_faster=times_faster,
        float_layers=left,
    )


def within_zone(interval: Interval | None) -> bool:
    """Return whether an interval of a difference of AUC lies within ± `ZONE`."""
    return interval is not None and interval[0] >= -ZONE and interval[1] <= ZONE


def describe_difference(difference: float, interval: Interval) -> str:
    """Return a difference of video AUC with its interval."""
    return f"video AUC {difference:+z.4f} [{interval[0]:+z.4f}, {interval[1]:+z.4f}]"


def _reason(passed: bool, difference: float, interval: Interval | None, left: Sequence[str]) -> str:
    if interval is None:
        return "not written: the validation split has too few people for an interval"
    found = describe_difference(difference, interval)
    in_float = f"{len(left)} layers in float" if left else "all layers in 8 bits"
    if passed:
        return f"{found} on the validation split, {in_float}"
    return f"not written: {found} on the validation split is not within ±{ZONE}, {in_float}"


def _prepare(network: Path, prepared: Path) -> list[str]:
    """Fold constants and infer shapes; return the names of the layers to quantize."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(str(network), str(prepared), skip_symbolic_shape=True)
    graph = onnx.load(prepared).graph
    return [node.name for node in graph.node if node.op_type in _QUANTIZED]


def _quantize(prepared: Path, target: Path, images: NDArray[np.uint8], left: Sequence[str]) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    quantize_static(
        str(prepared),
        str(target),
        _Images(images),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_QUANTIZED),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=list(left),
        calibrate_method=CalibrationMethod.MinMax,
    )


def _times_faster(network: Path, other: Path, image: NDArray[np.uint8]) -> float:
    """Return the median ratio of the times that two networks take for an image, interleaved."""
    sessions = [open_session(path) for path in (network, other)]
    seconds = np.empty((_ROUNDS, 2))
    for spent in seconds:
        for i, session in enumerate(sessions):
            began = time.perf_counter()
            session.run(None, {INPUT: image})
            spent[i] = time.perf_counter() - began
    # The first rounds select kernels and allocate memory.
    return float(np.median(seconds[_ROUNDS // 4 :, 0] / seconds[_ROUNDS // 4 :, 1]))


def _by_effect(
    prepared: Path,
    trial: Path,
    layers: Sequence[str],
    images: NDArray[np.uint8],
    sample: Score,
) -> list[str]:
    """Sort layers by how much the AUC changes where one alone is in 8 bits, the largest first.

    Layers of equal effect are sorted by the change of the scores.
    """
    few = images[:_FEW_IMAGES]
    in_float = sample(prepared)
    labels = in_float["label"].to_numpy()
    effects: dict[str, Any] = {}
    for layer in layers:
        _quantize(prepared, trial, few, [name for name in layers if name != layer])
        scores = np.stack([table["score"].to_numpy() for table in (sample(trial), in_float)])
        aucs, _ = auc_contributions(labels, scores)
        effects[layer] = abs(aucs[0] - aucs[1]), np.abs(scores[0] - scores[1]).mean()
    return sorted(layers, key=effects.__getitem__, reverse=True)
