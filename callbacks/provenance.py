import json
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

PACKAGES = (
    "torch",
    "torchvision",
    "lightning",
    "timm",
    "torchmetrics",
    "albumentations",
    "facenet-pytorch",
    "av",
    "numpy",
)


class Provenance(Callback):
    """Writes `provenance.json`: what is needed to make the run again, beside its config.

    Args:
        folder: The run's folder.
        seed: The run's seed.
        identity: What a run must share with a checkpoint to go on from it; saved with each.
    """

    def __init__(self, folder: Path, seed: int, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.seed = seed
        self.identity = identity

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say whose checkpoint it is."""
        checkpoint["identity"] = self.identity

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file when training begins."""
        if not trainer.is_global_zero:
            return
        store = trainer.datamodule.store  # type: ignore[attr-defined]  # set by Trainer.fit
        record = {
            **git_state(),
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "seed": self.seed,
            "data_manifest_sha256": store.manifest_hash,
            "devices": trainer.world_size,
            "trained_parameters": sum(p.numel() for p in pl_module.parameters() if p.requires_grad),
            "packages": {name: version(name) for name in PACKAGES},
            "machine": machine(),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "provenance.json").write_text(json.dumps(record, indent=2) + "\n")


def git_state() -> dict[str, Any]:
    """The code's commit and whether it was changed since; None outside a git checkout."""

    def git(*words: str) -> str | None:
        source = Path(__file__).parent
        try:
            done = subprocess.run(
                ["git", "-C", str(source), *words],
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain")
    return {
        "git_commit": git("rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
    }


def machine() -> dict[str, Any]:
    """The processor, its cores and the accelerators."""
    import os

    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "accelerators": gpus,
    }
