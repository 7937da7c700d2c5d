import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from lightning_modules.detector import Detector

INPUT, OUTPUT = "images", "probability"


class DeployedDetector(nn.Module):
    """What runs elsewhere: uint8 crops `[B, 3, S, S]` to the probability `[B]` of being fake.

    Args:
        detector: Of which it is the network, without any training-time part.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.network = detector.network

    def forward(self, images: Tensor) -> Tensor:
        """Give the probability `[B]` of being fake."""
        probability: Tensor = self.network(images.float() / 255).sigmoid()
        return probability


def export_onnx(detector: Detector, path: Path) -> None:
    """Write a detector's network as ONNX, for any number of crops at a time.

    Args:
        detector: Of `load_detector`: a student's rotation is folded into its classifier there.
        path: The `.onnx` file, weights included; it appears when it is whole.
    """
    example = torch.zeros(2, 3, detector.image_size, detector.image_size, dtype=torch.uint8)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with _quiet_exporter():
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
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence the exporter, whose own steps warn of each other's deprecation."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
