"""The network in 8 bits: its gate, and the layers that are left in float."""

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.typing import NDArray
from onnx import helper

from export.quantization import ZONE, write_int8
from export.validation import auc_difference
from inference.crop_scorer import CropScorer
from tests.support.networks import write_network

SIZE, PEOPLE = 6, 20


def write_outlier(path: Path, outlier: float) -> None:
    """Write four convolutions; one channel of the first is a constant that the second ignores."""
    weights = {
        "w1": [[0.5, 0.3, 0.2], [0, 0, 0]], "b1": [0, outlier],
        "w2": [[1, 0], [1, 0]], "w3": [[1, 0.5], [0.5, 1]], "w4": [[1, -0.4]],
    }  # fmt: skip
    layers, last = [], "scaled"
    for index in (1, 2, 3, 4):
        inputs = [last, f"w{index}", *(["b1"] if index == 1 else [])]
        last = "map" if index == 4 else f"map{index}"
        layers.append(helper.make_node("Conv", inputs, [last], name=f"conv{index}"))
    constants = {
        name: np.array(values, dtype=np.float32).reshape(*np.shape(values), 1, 1)
        if name[0] == "w" else np.array(values, dtype=np.float32)
        for name, values in weights.items()
    }  # fmt: skip
    scale = helper.make_node("Div", ["float", "range"], ["scaled"])
    range_ = np.array(255, dtype=np.float32)
    write_network(path, [scale, *layers], {**constants, "range": range_}, SIZE, SIZE)


@pytest.fixture(scope="module")
def crops() -> NDArray[np.uint8]:
    """Flat crops, brighter for the fakes."""
    levels = np.linspace(40, 220, 2 * PEOPLE).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (2 * PEOPLE, SIZE, SIZE, 3)).copy()


def score(path: Path, crops: NDArray[np.uint8]) -> pd.DataFrame:
    """Score a real and a fake video of each of 20 people, who are exchanged in pairs."""
    ids = [f"{i:03d}" for i in range(PEOPLE)]
    fakes = [f"{i:03d}_{i ^ 1:03d}" for i in range(PEOPLE)]
    return pd.DataFrame(
        {
            "video": [*ids, *fakes],
            "label": np.repeat([0, 1], PEOPLE),
            "score": CropScorer(path, SIZE, threads=1).score(crops).probabilities,
        }
    )


@pytest.mark.parametrize(("outlier", "left"), [(0.0, 0), (3e4, 2)])
def test_layers_are_left_in_float_until_the_gate_passes(
    tmp_path: Path, crops: NDArray[np.uint8], outlier: float, left: int
) -> None:
    network, target = tmp_path / "network.onnx", tmp_path / "int8.onnx"
    write_outlier(network, outlier)

    def score_all(path: Path) -> pd.DataFrame:
        return score(path, crops)

    made = write_int8(network, target, crops.transpose(0, 3, 1, 2), score_all, score_all)
    assert made.written, made.reason
    assert made.float_layers == [f"conv{i + 1}" for i in range(left)]
    assert made.interval is not None
    assert -ZONE <= made.interval[0] <= made.interval[1] <= ZONE
    assert made.times_faster > 0
    kinds = [node.op_type for node in onnx.load(target).graph.node]
    assert kinds.count("DequantizeLinear") > 3
    np.testing.assert_allclose(score_all(target)["score"], score_all(network)["score"], atol=0.02)


def test_a_network_that_loses_auc_is_not_written(tmp_path: Path, crops: NDArray[np.uint8]) -> None:
    """Calibrated on nearly black images, every activation is cut off."""
    network, target = tmp_path / "network.onnx", tmp_path / "int8.onnx"
    write_outlier(network, 0.0)
    black = np.ones((2, 3, SIZE, SIZE), dtype=np.uint8)
    made = write_int8(
        network, target, black, lambda path: score(path, crops), lambda path: score(path, crops)
    )
    assert not made.written
    assert not target.exists()
    assert made.reason.startswith("not written: video AUC -")
    assert len(made.float_layers) == 2


def test_the_difference_of_a_table_from_itself_is_zero() -> None:
    table = pd.DataFrame({"video": ["000", "000_001"], "label": [0, 1], "score": [0.2, 0.7]})
    assert auc_difference(table, table) == (0.0, None)
    more = pd.DataFrame(
        {
            "video": ["000", "000_001", "002", "002_003"],
            "label": [0, 1, 0, 1],
            "score": [0.2, 0.7, 0.4, 0.3],
        }
    )
    assert auc_difference(more, more) == (0.0, (0.0, 0.0))
