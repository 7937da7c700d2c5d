import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from records.files import write_record
from records.folder import RunFolder
from records.provenance import Machine, ProvenanceRecord, processor_name

PACKAGES = "torch torchvision lightning timm torchmetrics albumentations facenet-pytorch av numpy"


class Provenance(Callback):
    """Writes `provenance.json`: what is needed to repeat a run in addition to its config.

    Args:
        folder: The run's folder.
        seed: The run's seed.
        identity: Settings that a resumed run must share, saved in every checkpoint.
    """

    def __init__(self, folder: Path, seed: int, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.seed = seed
        self.identity = identity

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save the run's identity."""
        checkpoint["identity"] = self.identity

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file when training starts."""
        if not trainer.is_global_zero:
            return
        store = trainer.datamodule.store  # type: ignore[attr-defined]  # set by Trainer.fit
        record = ProvenanceRecord(
            **git_state(),
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            seed=self.seed,
            data_manifest_sha256=store.manifest_hash,
            devices=trainer.world_size,
            trained_parameters=sum(p.numel() for p in pl_module.parameters() if p.requires_grad),
            packages={name: _version(name) for name in PACKAGES.split()},
            machine=Machine(**machine()),
        )
        write_record(RunFolder(self.folder).provenance, record)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # training decodes and detects nothing
        return "not installed"


def git_state() -> dict[str, Any]:
    """Return the code's commit and whether it has uncommitted changes; None outside of git."""

    def git(*argv: str) -> str | None:
        command = ["git", "-C", str(Path(__file__).parent), *argv]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain")
    return {
        "git_commit": git("rev-parse", "HEAD"),
        "git_dirty": None if status is None else bool(status),
    }


def machine() -> dict[str, Any]:
    """Describe the processor, its cores and accelerators.

    Figures of one seed are the same on processors of one model with the same instruction set, the
    vector extension that torch uses, such as AVX2 or AVX512.
    """
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "processor": processor_name(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "accelerators": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }
