from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, distributed, nn


class SumOverRanks(torch.autograd.Function):
    """Sums a tensor over the ranks, in the forward and in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the sum over the ranks."""
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the gradient's sum over the ranks."""
        return SumOverRanks.forward(ctx, gradients[0])


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch norm of `[B, C, h, w]` over the batches of all ranks.

    Runs on any device; torch's SyncBatchNorm runs on GPUs only.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalize by the statistics of the global batch, or in evaluation by the running ones."""
        if not (self.training and distributed.is_initialized()):
            return nn.BatchNorm2d.forward(self, input)
        assert self.running_mean is not None
        x = input.to(self.running_mean.dtype)
        count = distributed.get_world_size() * x.numel() / x.shape[1]
        mean = SumOverRanks.apply(x.sum(dim=(0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = SumOverRanks.apply(centred.square().sum(dim=(0, 2, 3))) / count
        self._track(mean.detach(), variance.detach() * count / (count - 1))
        normalized = centred * (variance + self.eps).rsqrt()[:, None, None]
        if self.affine:
            normalized = normalized * self.weight[:, None, None] + self.bias[:, None, None]
        return normalized.to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class GlobalBatchNormAct2d(GlobalBatchNorm2d, BatchNormAct2d):
    """timm's batch norm with activation over the batches of all ranks."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalize, drop and activate."""
        return self.act(self.drop(GlobalBatchNorm2d.forward(self, input)))


def synchronize_batch_norm(module: nn.Module, device: torch.device) -> nn.Module:
    """Synchronize every batch norm of a module over the ranks; names and weights stay the same.

    torch's own conversion would drop the activations inside timm's batch norms.
    """
    if device.type != "cpu":
        return convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = GlobalBatchNorm2d
        elif type(layer) is BatchNormAct2d:
            layer.__class__ = GlobalBatchNormAct2d
    return module
