"""What an extraction will take, told from a few of its videos."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datamodules.process_pool import usable_cores
from experiments.extraction import extractor_of, quiet_lightning

if TYPE_CHECKING:
    import torch

    from experiments.extraction import Plan

_SAMPLED = 5


@dataclass(frozen=True)
class Estimate:
    """What was measured on a few videos, and what follows for all.

    Attributes:
        videos: To extract.
        sampled: Of them, looked at for this.
        frames: Looked at in the sampled ones.
        crops: That these gave.
        seconds: For all videos, on all devices.
        bytes: On disk, for all videos.
    """

    videos: int
    sampled: int
    frames: int
    crops: int
    seconds: float
    bytes: float


def _estimate(plan: "Plan", num_workers: int, device: "torch.device", ranks: int) -> Estimate:
    """Extract a few videos in this process, write nothing, and time it."""
    from datamodules.videos import VideoFramesDataModule

    records = plan.pending
    sample = records[:: -(-len(records) // _SAMPLED)]
    videos = VideoFramesDataModule(sample, plan.store.settings.frames_per_video, num_workers)
    videos.num_workers = 0  # decoded in between, to be timed
    extractor = extractor_of(plan).to(device).eval()
    decoding = detecting = 0.0
    frames = crops = size = 0
    extractor.on_predict_start()
    started = time.monotonic()
    for part in videos.predict_dataloader():
        decoded = time.monotonic()
        decoding += decoded - started
        for video in extractor.predict_step(part, 0):
            frames += len(video.frame_numbers)
            crops += len(video.crops)
            size += video.crops.nbytes
        started = time.monotonic()
        detecting += started - decoded
    extractor.on_predict_end()
    each = len(records) / len(sample)
    alone = max(detecting, decoding / num_workers) if num_workers else detecting + decoding
    busy = decoding + (detecting if device.type == "cpu" else 0.0)
    # More processes than cores are no quicker.
    seconds = max(alone / ranks, busy / usable_cores()) * each
    return Estimate(len(records), len(sample), frames, crops, seconds, size * each)


def print_estimate(plan: "Plan", num_workers: int, trainer_options: Mapping[str, Any]) -> None:
    """Tell the user what an extraction would do and take.

    Args:
        plan: What, and where to.
        num_workers: Decoding threads for each device.
        trainer_options: Of Lightning's Trainer.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for line in plan.layout.lines():
        console.print(line, markup=False)
    if not plan.pending:
        console.print(f"{plan.store.root}: everything is there, nothing to extract", markup=False)
        return
    with quiet_lightning():
        from lightning.pytorch import Trainer

        trainer = Trainer(logger=False, enable_checkpointing=False, **trainer_options)
        device, ranks = trainer.strategy.root_device, trainer.world_size
        told = _estimate(plan, num_workers, device, ranks)
    existing = next(folder for folder in plan.store.root.absolute().parents if folder.exists())
    free = shutil.disk_usage(existing).free
    console.print(
        f"{told.videos} videos to extract; {told.crops} crops of {told.frames} frames "
        f"in {told.sampled} of them"
    )
    console.print(
        f"about {_duration(told.seconds)} and {_size(told.bytes)} of crops, {_size(free)} free"
    )
    if told.bytes > free:
        console.print("they do not fit: take fewer frames, smaller crops or another disk")
    console.print("nothing was written")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _size(size: float) -> str:
    if size < 1e9:
        return f"{size / 1e6:.0f} MB"
    return f"{size / 1e9:.1f} GB"
