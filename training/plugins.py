import os
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.plugins import LayerSync, TorchCheckpointIO
from torch import nn

from lightning_modules.networks.global_batch_norm import synchronize_batch_norm
from records.files import replacing
from records.folder import RunFolder


def build_plugins(trainer: Any) -> list[Any]:
    """Return the project's plugins and those of the Trainer's configuration."""
    given = trainer["plugins"] or []
    plugins = [WholeCheckpoints(), *(given if isinstance(given, list) else [given])]
    if trainer["sync_batchnorm"]:
        trainer["sync_batchnorm"] = False  # Lightning would add its own as well
        plugins.append(SyncBatchNorm())
    return plugins


class WholeCheckpoints(TorchCheckpointIO):
    """Writes every checkpoint whole or not at all, and keeps the one before the newest.

    Lightning writes to the system's temporary folder first. Moving a file from another disk copies
    it, so a full disk would destroy the checkpoint that is replaced.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Save a checkpoint, or raise an InputError and leave the previous one unchanged."""
        path = Path(path)
        # torch's zip writer may end the process when a write is refused or interrupted.
        content = BytesIO()
        torch.save(checkpoint, content)
        with replacing(path) as partial:
            partial.write_bytes(content.getbuffer())
            folder = RunFolder.of_checkpoint(path)
            if path == folder.last and path.is_file():
                folder.before_last.unlink(missing_ok=True)
                try:  # a second name: the file keeps the first one if the process is killed here
                    os.link(path, folder.before_last)
                except OSError:  # a file system without hard links
                    path.replace(folder.before_last)


class SyncBatchNorm(LayerSync):
    """`--trainer.sync_batchnorm` for timm's layers and for CPUs; the frozen teacher is excluded."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Synchronize the parts that are trained if there are several ranks."""
        assert isinstance(model, LightningModule)
        if model.trainer.world_size == 1:
            return model
        device = model.trainer.strategy.root_device
        for name, part in model.named_children():
            if any(p.requires_grad for p in part.parameters()):
                setattr(model, name, synchronize_batch_norm(part, device))
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Keep the layers: in evaluation they compute the same."""
        return model
