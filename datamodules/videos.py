from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypedDict

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from datamodules.layouts.record import VideoRecord
from errors import require_number
from faces.decoding import UnreadableVideoError, decode_frames, evenly_spaced, index_frames

# 200 MB of frames in full HD, however many a video gives.
_FRAMES_PER_PART = 32


class VideoFrames(TypedDict):
    """Some frames of one video: a part of those wanted, in their order.

    Attributes:
        record: Index of the video in the records.
        frames: n frames `[H, W, 3]` RGB uint8, upright; n = 0 where nothing could be read.
        frame_numbers: `[n]` their numbers in the video, from 0.
        is_last: Whether the video ends with this part. What follows is given there.
        undecoded: Numbers of wanted frames that could not be decoded.
        claimed_frames: Where the container claims more frames than there are, how many.
        reason: Why the video could not be read; None where it could.
        mask: Video of the manipulated pixels, where there is one.
    """

    record: int
    frames: list[NDArray[np.uint8]]
    frame_numbers: list[int]
    is_last: bool
    undecoded: list[int]
    claimed_frames: int | None
    reason: str | None
    mask: Path | None


class _VideoParts(IterableDataset[VideoFrames]):
    """Decodes the videos of a rank in threads, each video's parts one after the other.

    Each video has the same number of parts, so that a rank knows how many there are; of a short
    video the last ones are empty.

    Threads and not processes: FFmpeg decodes without Python's lock, and the frames, 25 MB of a
    small video and 200 MB of one in full HD, need not be copied from process to process.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        frames_per_video: int,
        threads: int,
        dealt: Sequence[int],
    ) -> None:
        self._records = records
        self._frames_per_video = frames_per_video
        self._parts = -(-frames_per_video // _FRAMES_PER_PART)
        self._threads = threads
        self._dealt = dealt

    def __len__(self) -> int:
        return len(self._dealt) * self._parts

    def __iter__(self) -> Iterator[VideoFrames]:
        if not self._threads:
            yield from self._parts_of(self._dealt)
            return
        # One part of each is decoded ahead, so that a thread seldom waits for the detection.
        streams = 2 * self._threads
        pool = ThreadPoolExecutor(self._threads, "decode")
        try:
            ahead = deque(
                (stream, pool.submit(next, stream, None))
                for stream in (self._parts_of(self._dealt[k::streams]) for k in range(streams))
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
            yield from self._read(index)

    def _read(self, index: int) -> Iterator[VideoFrames]:
        record = self._records[index]
        wanted: list[int] = []
        frames: Iterator[tuple[int, NDArray[np.uint8]]] = iter(())
        claimed, reason = None, None
        decoded: set[int] = set()
        for part in range(self._parts):
            taken: list[tuple[int, NDArray[np.uint8]]] = []
            try:
                if part == 0:
                    found = index_frames(record.path)
                    claimed = found.claimed
                    wanted = evenly_spaced(found.length, self._frames_per_video).tolist()
                    frames = decode_frames(record.path, found, wanted)
                taken = list(islice(frames, _FRAMES_PER_PART))
            except UnreadableVideoError as error:
                reason = str(error)
            decoded.update(number for number, _ in taken)
            is_last = part == self._parts - 1
            if is_last and wanted and not decoded:
                reason = reason or "no frame of it can be decoded"
            yield VideoFrames(
                record=index,
                frames=[frame for _, frame in taken],
                frame_numbers=[number for number, _ in taken],
                is_last=is_last,
                undecoded=[one for one in wanted if one not in decoded],
                claimed_frames=claimed,
                reason=reason,
                mask=record.mask,
            )


def _only_item(items: list[VideoFrames]) -> VideoFrames:
    """Videos differ in size, so that a batch is of one video."""
    return items[0]


class VideoFramesDataModule(pl.LightningDataModule):
    """Feeds videos to `Trainer.predict`, each on exactly one rank, its parts one after the other.

    Args:
        records: The videos; a batch names its own by the index in here.
        frames_per_video: Evenly spaced frames to take of each.
        num_workers: Threads that decode beside the one that detects; 0 decodes in between.

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
        # With fewer videos than ranks some ranks have nothing to do.
        self.allow_zero_length_dataloader_with_multiple_devices = True

    def predict_dataloader(self) -> DataLoader[VideoFrames]:
        """Make the loader of this rank; items are `VideoFrames`."""
        ranks = self.trainer.world_size if self.trainer else 1
        rank = self.trainer.global_rank if self.trainer else 0
        dealt = range(rank, len(self.records), ranks)
        parts = _VideoParts(self.records, self.frames_per_video, self.num_workers, dealt)
        return DataLoader(parts, batch_size=1, collate_fn=_only_item)
