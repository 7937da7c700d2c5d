"""Estimate of the time and disk space of an extraction, from a few of its videos."""

import shutil
import time
from dataclasses import dataclass
from typing import Any

from datamodules.process_pool import usable_cores
from datamodules.videos import VideoFramesDataModule
from errors import require_number
from evaluation.formatting import duration
from experiments.extraction import Plan
from experiments.extraction_run import make_extractor, make_trainer, quiet_lightning

_SAMPLED = 5


@dataclass(frozen=True)
class Estimate:
    """Frames and crops of a few sampled videos, and the extrapolation to all.

    The seconds and bytes are those of all videos, on all devices; `free` is what the disk has.
    """

    videos: int
    sampled: int
    frames: int
    crops: int
    seconds: float
    bytes: float
    free: int

    def lines(self) -> list[str]:
        """Describe the estimate for the user, one line each."""
        lines = [
            f"{self.videos} videos to extract; {self.crops} crops of {self.frames} frames "
            f"in {self.sampled} of them",
            f"about {duration(self.seconds)} and {self.bytes / 1e6:.0f} MB of crops, "
            f"{self.free / 1e6:.0f} MB free",
        ]
        if self.bytes > self.free:
            lines.append("they do not fit: use fewer frames, smaller crops or another disk")
        return lines


def estimate_extraction(plan: Plan, num_workers: int, **trainer: Any) -> Estimate:
    """Extract a few of the pending videos without writing anything, and measure the time.

    The arguments are those of `run_extraction`.

    Raises:
        InputError: The Trainer refuses an option, or num_workers is negative.
    """
    require_number("num_workers", num_workers, least=0)
    with quiet_lightning():
        of_trainer = make_trainer(trainer)
        device, ranks = of_trainer.strategy.root_device, of_trainer.world_size
    sample = plan.pending[:: -(-len(plan.pending) // _SAMPLED)]
    # Without workers, frames are decoded in this thread, so that decoding can be timed.
    parts = VideoFramesDataModule(sample, plan.store.settings.frames_per_video, num_workers=0)
    extractor = make_extractor(plan).to(device).eval()
    decoding = detecting = 0.0
    frames = crops = size = 0
    extractor.on_predict_start()
    started = time.monotonic()
    for batch in parts.predict_dataloader():
        decoded = time.monotonic()
        decoding += decoded - started
        for _, video in extractor.predict_step(batch, 0):
            frames += len(video.frame_numbers)
            crops += len(video.crops)
            size += video.crops.nbytes
        started = time.monotonic()
        detecting += started - decoded
    extractor.on_predict_end()
    factor = len(plan.pending) / len(sample)
    decoding /= min(usable_cores(), ranks * max(num_workers, 1))
    # On a CPU, detection uses all cores in any case.
    if device.type == "cpu" or not num_workers:
        seconds = decoding + detecting / (1 if device.type == "cpu" else ranks)
    else:
        seconds = max(decoding, detecting / ranks)
    root = plan.store.root.absolute()
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    return Estimate(
        len(plan.pending), len(sample), frames, crops, seconds * factor, size * factor, free
    )
