import torch
import torch.nn.functional as F  # noqa: N812 -- the name PyTorch's own documentation uses
from torch import Tensor, nn


class MixBlock(nn.Module):
    """Cross-attention between two branches at a depth of theirs (F3-Net, section 3.3).

    Queries and keys of both branches stand side by side; their attention over the rows of every
    channel, `[B, C, h, h]`, weights each branch's map before it is added, through a depth-wise
    convolution and a batch norm, to the other's. The strength 2σ(γ) - 1 of each direction starts
    at zero, so a pretrained pair begins undisturbed.

    Args:
        channels: Channels C of both maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.queries = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(2))
        self.keys = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(2))
        self.gammas = nn.Parameter(torch.zeros(2))
        self.blends = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
                nn.BatchNorm2d(channels),
            )
            for _ in range(2)
        )

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Mix two square maps `[B, C, ·, ·]`; the attention is at the first one's size."""
        maps = (first, _resize(second, first))
        queries = torch.cat([q(x) for q, x in zip(self.queries, maps, strict=True)], dim=3)
        keys = torch.cat([k(x) for k, x in zip(self.keys, maps, strict=True)], dim=3)
        attention = (queries @ keys.mT).softmax(-1)
        to_first, to_second = 2 * self.gammas.sigmoid() - 1
        from_second = self.blends[0](to_first * attention * maps[1])
        from_first = self.blends[1](to_second * attention * first)
        return first + from_second, second + _resize(from_first, second)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)
