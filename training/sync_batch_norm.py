from lightning import LightningModule
from lightning.pytorch.plugins import LayerSync
from torch import nn

from lightning_modules.networks.global_batch_norm import synchronize_batch_norm


class SyncBatchNorm(LayerSync):
    """`--trainer.sync_batchnorm` for timm's layers and for CPUs; the frozen teacher is left out."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Synchronize the parts that are trained."""
        assert isinstance(model, LightningModule)
        device = model.trainer.strategy.root_device
        for name, part in model.named_children():
            if any(p.requires_grad for p in part.parameters()):
                setattr(model, name, synchronize_batch_norm(part, device))
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Leave them: in evaluation they are what they were."""
        return model
