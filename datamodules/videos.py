import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypedDict

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from datamodules.layouts.record import VideoRecord
from datamodules.process_pool import usable_cores
from errors import require_number
from faces.containers import UnreadableVideoError
from faces.decoding import decode_frames
from faces.frame_index import evenly_spaced, index_frames

# 200 MB of frames in full HD, whatever the number of frames per video.
_FRAMES_PER_PART = 32
# Bounds the memory on machines with many cores; several ranks use more of them.
_PARTS_PER_BATCH = 8


class VideoFrames(TypedDict):
    """A part of the selected frames of one video.

    Attributes:
        record: Index of the video in the records.
        frames: n frames `[H, W, 3]` RGB uint8, upright; n may be 0.
        frame_numbers: `[n]` their numbers in the video, from 0.
        is_last: Whether this is the last part of the video; the next three are final only then.
        undecoded: Numbers of selected frames that could not be decoded.
        claimed_frames: Number of frames that the container claims, if more than it has.
        reason: Why the video cannot be read, or None.
        mask: Video of the manipulated pixels, if the data set has one.
    """

    record: int
    frames: list[NDArray[np.uint8]]
    frame_numbers: list[int]
    is_last: bool
    undecoded: list[int]
    claimed_frames: int | None
    reason: str | None
    mask: Path | None


@dataclass(eq=False)
class _VideoParts(IterableDataset[VideoFrames]):
    """Decode the videos of a rank in threads, the parts of each video in order.

    All videos have the same number of parts, so that the length is known; the last parts of a short
    video are empty. Threads replace worker processes because FFmpeg decodes without Python's lock,
    and 25 to 200 MB of frames per video need not be copied between processes.
    """

    records: Sequence[VideoRecord]
    frames_per_video: int
    num_threads: int
    indices: Sequence[int]

    def __post_init__(self) -> None:
        self.num_parts = math.ceil(self.frames_per_video / _FRAMES_PER_PART)

    def __len__(self) -> int:
        return len(self.indices) * self.num_parts

    def __iter__(self) -> Iterator[VideoFrames]:
        if not self.num_threads:
            yield from self._parts_of(self.indices)
            return
        # Each stream decodes one part ahead, so that a thread seldom waits for the detection.
        streams = 2 * self.num_threads
        pool = ThreadPoolExecutor(self.num_threads, "decode")
        try:
            ahead = deque(
                (stream, pool.submit(next, stream, None))
                for stream in (self._parts_of(self.indices[k::streams]) for k in range(streams))
            )
            while ahead:
                stream, decoding = ahead.popleft()
                part = decoding.result()
                if part is not None:
                    ahead.append((stream, pool.submit(next, stream, None)))
                    yield part
        finally:
            pool.shutdown(cancel_futures=True)

    def _parts_of(self, indices: Sequence[int]) -> Iterator[VideoFrames]:
        for index in indices:
            yield from self._decode(index)

    def _decode(self, index: int) -> Iterator[VideoFrames]:
        record = self.records[index]
        selected: list[int] = []
        frames: Iterator[tuple[int, NDArray[np.uint8]]] = iter(())
        claimed, reason = None, None
        decoded: set[int] = set()
        for part in range(self.num_parts):
            taken: list[tuple[int, NDArray[np.uint8]]] = []
            try:
                if part == 0:
                    found = index_frames(record.path)
                    claimed = found.claimed
                    selected = evenly_spaced(found.length, self.frames_per_video).tolist()
                    frames = decode_frames(record.path, found, selected)
                taken = list(islice(frames, _FRAMES_PER_PART))
            except UnreadableVideoError as error:
                reason = str(error)
            decoded.update(number for number, _ in taken)
            is_last = part == self.num_parts - 1
            if is_last and selected and not decoded:
                reason = reason or "no frame can be decoded"
            yield VideoFrames(
                record=index,
                frames=[frame for _, frame in taken],
                frame_numbers=[number for number, _ in taken],
                is_last=is_last,
                undecoded=[number for number in selected if number not in decoded],
                claimed_frames=claimed,
                reason=reason,
                mask=record.mask,
            )


class VideoFramesDataModule(pl.LightningDataModule):
    """Feed evenly spaced frames of videos to `Trainer.predict`, each video on exactly one rank.

    `num_workers` threads decode during detection; with 0, the main thread decodes in between.

    Raises:
        InputError: A number is out of range.
    """

    def __init__(
        self, records: Sequence[VideoRecord], frames_per_video: int = 8, num_workers: int = 0
    ) -> None:
        super().__init__()
        require_number("frames_per_video", frames_per_video, least=1)
        require_number("num_workers", num_workers, least=0)
        self.records = records
        self.frames_per_video = frames_per_video
        self.num_workers = num_workers
        # With fewer videos than ranks, some ranks have none.
        self.allow_zero_length_dataloader_with_multiple_devices = True

    def predict_dataloader(self) -> DataLoader[VideoFrames]:
        """Return the loader of this rank; its batches are lists of one part per core."""
        num_ranks = self.trainer.world_size if self.trainer else 1
        rank = self.trainer.global_rank if self.trainer else 0
        indices = range(rank, len(self.records), num_ranks)
        parts = _VideoParts(self.records, self.frames_per_video, self.num_workers, indices)
        # Videos differ in size, so their parts are not stacked.
        parts_per_batch = max(1, min(_PARTS_PER_BATCH, usable_cores() // num_ranks))
        return DataLoader(parts, batch_size=parts_per_batch, collate_fn=list)
