"""Export of a detector to ONNX."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from lightning_modules.detector import Detector
from records.files import replacing

INPUT, OUTPUT = "images", "probability"


class DeployedDetector(nn.Module):
    """The deployed part of a detector: its network, without the parts for training."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.network = detector.network

    def forward(self, images: Tensor) -> Tensor:
        """Return the probability of fake `[B]` of uint8 crops `[B, 3, S, S]`."""
        probability: Tensor = self.network(images.float() / 255).sigmoid()
        return probability


def export_onnx(detector: Detector, path: Path) -> None:
    """Write a detector's network as ONNX, weights included, with a dynamic batch size.

    Args:
        detector: Result of `load_detector`, which folds a student's rotation into its classifier.
        path: The `.onnx` file, written whole or not at all.
    """
    example = torch.zeros(2, 3, detector.image_size, detector.image_size, dtype=torch.uint8)
    with replacing(path) as partial, _quiet_exporter():
        torch.onnx.export(
            DeployedDetector(detector).eval(),
            (example,),
            partial,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )


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
