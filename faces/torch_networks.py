"""The torch back end of the face detector: the only module of `faces` that imports torch."""

import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from torch import Tensor, nn

from faces.cascade import Images, Outputs

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

    @property
    def squares_per_call(self) -> int:
        """How many squares to pass to R-Net or O-Net at once."""
        return _SQUARES_PER_CALL[self._kind]

    @torch.inference_mode()
    def run(self, name: str, images: Images) -> Outputs:
        """Run a network, see `FaceNetworks`."""
        shifts, probabilities = self.networks[name](torch.from_numpy(images).to(self._device))
        return shifts.cpu().numpy(), probabilities.cpu().numpy()
