"""Hand-made detectors in ONNX."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from inference.crop_scorer import INPUT, OUTPUTS


def write_network(
    path: Path,
    layers: Sequence[NodeProto],
    constants: Mapping[str, NDArray[np.float32]],
    size: int,
    map_size: int,
) -> None:
    """Write a detector whose evidence is "map" `[b, 1, h, w]`, and whose logit is its mean.

    The layers make it from the image of side `size`, which is "float", and from the constants.
    """
    nodes = [
        helper.make_node("Cast", [INPUT], ["float"], to=onnx.TensorProto.FLOAT),
        *layers,
        helper.make_node("Squeeze", ["map", "channel"], ["evidence"]),
        helper.make_node("ReduceMean", ["evidence", "places"], ["logit"], keepdims=0),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    axes = {"channel": np.array([1]), "places": np.array([1, 2])}
    images = helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, ["b", 3, size, size])
    shapes = (["b"], ["b"], ["b", map_size, map_size])
    outputs = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in zip(OUTPUTS, shapes, strict=True)
    ]
    initializers = [numpy_helper.from_array(v, n) for n, v in {**constants, **axes}.items()]
    graph = helper.make_graph(nodes, "network", [images], outputs, initializers)
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
