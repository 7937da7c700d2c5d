"""Export of a detector and of the face detector's networks to ONNX."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from faces.onnx_networks import INPUT as FACE_INPUT
from faces.torch_networks import TorchFaceNetworks
from inference.crop_scorer import INPUT, OUTPUTS
from lightning_modules.detector import Detector
from records.files import replacing

OPSET, IR_VERSION = 18, 10


class DeployedDetector(nn.Module):
    """The deployed part of a detector: its network, without the parts for training."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.network: Any = detector.network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `inference.crop_scorer.OUTPUTS` of uint8 crops `[B, 3, S, S]`."""
        logit, evidence = self.network.explain(images.float() / 255)
        return logit, logit.sigmoid(), evidence


def export_onnx(detector: Detector, path: Path) -> None:
    """Write a detector's network as ONNX, weights included, with a dynamic batch size.

    Args:
        detector: Result of `load_detector`, which folds a student's rotation into its classifier.
        path: The `.onnx` file, written whole or not at all.
    """
    example = torch.zeros(2, 3, detector.image_size, detector.image_size, dtype=torch.uint8)
    batch = {0: torch.export.Dim("batch")}
    _export(DeployedDetector(detector), example, path, INPUT, OUTPUTS, batch)


def export_face_networks(folder: Path) -> None:
    """Write P-Net, R-Net and O-Net as `faces.onnx_networks.FILES`."""
    sizes = {"p_net": (40, 32), "r_net": (24, 24), "o_net": (48, 48)}
    free = {axis: torch.export.Dim(name) for axis, name in enumerate(("n", "height", "width"))}
    for name, network in TorchFaceNetworks().networks.items():
        shapes = free if name == "p_net" else {0: free[0]}
        outputs = ("shifts", "probabilities")
        example = torch.zeros(2, *sizes[name], 3)
        _export(network, example, folder / f"{name}.onnx", FACE_INPUT, outputs, shapes)


def _export(
    network: nn.Module,
    example: Tensor,
    path: Path,
    name: str,
    outputs: Sequence[str],
    shapes: Mapping[int, Any],
) -> None:
    with replacing(path) as partial, _quiet_exporter():
        torch.onnx.export(
            network.eval(),
            (example,),
            partial,
            input_names=[name],
            output_names=outputs,
            dynamic_shapes=(dict(shapes),),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(partial)
        model.ir_version = IR_VERSION
        # The exporter records the paths of this machine's source files in every node.
        for part in (*model.graph.node, *model.graph.value_info, model.graph, model):
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
        onnx.save(model, partial)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    # The exporter's own steps warn of each other's deprecation.
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
