"""The torch back end of the face detector: the only module of `faces` that imports torch."""

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from torch import Tensor, nn

from faces.cascade import Images, Outputs

# P-Net's first maps of this many pixels take 40 MB.
_PIXELS_PER_CALL = 2**20
# A CPU is twice as fast with maps that fit its cache; a GPU needs large batches.
_SQUARES_PER_CALL = {"cpu": 32, "gpu": 512}
# Summed area tables take 12 bytes per pixel. On a CPU the allocator reuses blocks up to 32 MB;
# it maps larger ones for every batch, which takes longer than the sums.
_FRAME_PIXELS = {"cpu": 2**21, "gpu": 2**24}


class FaceNetwork(nn.Module):
    """P-, R- or O-Net of facenet-pytorch with its input's normalization."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # Max pooling on a CPU is 5 to 10 times as fast in this memory format.
        self.network = network.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return shifts and probabilities of a face for images `[n, h, w, 3]`, 0 to 255."""
        shifts, *_, classes = self.network(images.permute(0, 3, 1, 2).sub(127.5).mul(0.0078125))
        return shifts, classes[:, 1]


class TorchFaceNetworks(nn.Module):
    """P-Net, R-Net and O-Net of facenet-pytorch with their weights; implements `FaceNetworks`."""

    def __init__(self) -> None:
        super().__init__()
        networks = {"p_net": PNet(), "r_net": RNet(), "o_net": ONet()}
        self.networks = nn.ModuleDict({name: FaceNetwork(n) for name, n in networks.items()})

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def _kind(self) -> str:
        return "cpu" if self._device.type == "cpu" else "gpu"

    @property
    def pixels_per_batch(self) -> int:
        """How many pixels of frames to pass through the cascade at once."""
        return _FRAME_PIXELS[self._kind]

    def p_net(self, images: Images) -> Outputs:
        """Return shifts `[n, 4, rows, columns]` and probabilities `[n, rows, columns]`."""
        return self._run("p_net", images, _PIXELS_PER_CALL // images[0, ..., 0].size)

    def r_net(self, squares: Images) -> Outputs:
        """Return shifts `[n, 4]` and probabilities `[n]` for squares of 24 px."""
        return self._run("r_net", squares, _SQUARES_PER_CALL[self._kind])

    def o_net(self, squares: Images) -> Outputs:
        """Return shifts `[n, 4]` and probabilities `[n]` for squares of 48 px."""
        return self._run("o_net", squares, _SQUARES_PER_CALL[self._kind])

    @torch.inference_mode()
    def _run(self, name: str, images: Images, per_call: int) -> Outputs:
        """Run a network in several calls."""
        network, per_call, device = self.networks[name], max(1, per_call), self._device
        outputs = []
        for start in range(0, len(images), per_call):
            on_device = torch.from_numpy(images[start : start + per_call]).to(device)
            shifts, probabilities = network(on_device)
            outputs.append((shifts.cpu().numpy(), probabilities.cpu().numpy()))
        none = (np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32))
        shifts, probabilities = zip(*(outputs or [none]), strict=True)
        return np.concatenate(shifts), np.concatenate(probabilities)
