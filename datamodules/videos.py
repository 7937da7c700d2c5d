from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import av
import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, get_worker_info
from torch.utils.data.distributed import DistributedSampler

from datamodules.layouts.record import VideoRecord
from errors import InputError


class VideoFrames(TypedDict):
    """One video, decoded.

    Attributes:
        record: Index of the video in the records.
        frames: `[n, H, W, 3]` RGB uint8, upright; n = 0 where the video could not be read.
        frame_numbers: `[n]` their numbers in the video, from 0.
        claimed_frames: Where the container claims more frames than could be decoded, how many.
        reason: Why the video could not be read; None where it could.
    """

    record: int
    frames: NDArray[np.uint8]
    frame_numbers: NDArray[np.int64]
    claimed_frames: int | None
    reason: str | None


class UnreadableVideoError(ValueError):
    """A video that cannot be decoded from its beginning to its end."""


def evenly_spaced(length: int, count: int) -> NDArray[np.int64]:
    """Pick the middles of `count` equal parts of a video; every frame of a shorter one.

    Args:
        length: Frames in the video.
        count: Frames wanted.
    """
    if length <= count:
        return np.arange(length)
    return (2 * np.arange(count) + 1) * length // (2 * count)


def read_frames(path: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], int | None]:
    """Decode a video once, forward, and keep evenly spaced frames of its whole length.

    Seeking is slower: key frames are far apart. Only a container that claims more frames than it
    holds costs a second pass, over the length that the first one found.

    Args:
        path: The video.
        count: Frames wanted; a video of fewer gives all it has.

    Returns:
        frames `[n, H, W, 3]` RGB, turned upright as the container's rotation says; their numbers
        `[n]`; and what the container claimed where that was too much.

    Raises:
        UnreadableVideoError: It is no video, is truncated or damaged, or holds no frame.
    """
    try:
        claimed = _claimed_length(path)
        frames, decoded = _decode(path, evenly_spaced(claimed, count))
        is_shorter = bool(decoded) and decoded < claimed
        if is_shorter:
            frames, _ = _decode(path, evenly_spaced(decoded, count))
    except av.FFmpegError as error:
        raise UnreadableVideoError(error.strerror or type(error).__name__) from error
    if not frames:
        msg = "no video frame in it"
        raise UnreadableVideoError(msg)
    return np.stack(list(frames.values())), np.array(list(frames)), claimed if is_shorter else None


def _claimed_length(path: Path) -> int:
    """Count the frames by the container's header, else by its packets."""
    with av.open(path) as container:
        if not container.streams.video:
            return 0
        stream = container.streams.video[0]
        return stream.frames or sum(packet.size > 0 for packet in container.demux(stream))


def _decode(path: Path, wanted: NDArray[np.int64]) -> tuple[dict[int, NDArray[np.uint8]], int]:
    """Decode up to the last wanted frame.

    Returns:
        The wanted frames by number, and how many were decoded where the video ended before the
        last one (0 where it did not).
    """
    frames: dict[int, NDArray[np.uint8]] = {}
    if not len(wanted):
        return frames, 0
    numbers, last, number = set(wanted.tolist()), int(wanted[-1]), -1
    with av.open(path) as container:
        stream = container.streams.video[0]
        # Beside other decoding workers a video of its own for each thread is quicker.
        stream.thread_type = "AUTO" if get_worker_info() is None else "NONE"
        width, height = stream.width, stream.height
        for number, frame in enumerate(_whole_frames(container, stream)):
            if number in numbers:
                # A stream that changes its size on the way is brought to the first one's.
                picture = frame.to_ndarray(format="rgb24", width=width, height=height)
                frames[number] = np.rot90(picture, k=round(frame.rotation / 90))
            if number == last:
                return frames, 0
    return frames, number + 1


def _whole_frames(
    container: "av.container.InputContainer", stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """Decode, minding what the decoder forgives: a frame cut off where a copy broke off."""
    for packet in container.demux(stream):
        if packet.is_corrupt:
            msg = "truncated: a frame is cut off"
            raise UnreadableVideoError(msg)
        yield from packet.decode()


class _Videos(Dataset[VideoFrames]):
    """Decodes on access; a video that cannot be read is an item that says why."""

    def __init__(self, records: Sequence[VideoRecord], frames_per_video: int) -> None:
        self._records = records
        self._frames_per_video = frames_per_video

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> VideoFrames:
        frames = np.zeros((0, 0, 0, 3), dtype=np.uint8)
        numbers, claimed, reason = np.zeros(0, dtype=np.int64), None, None
        try:
            frames, numbers, claimed = read_frames(
                self._records[index].path, self._frames_per_video
            )
        except UnreadableVideoError as error:
            reason = str(error)
        return VideoFrames(
            record=index,
            frames=frames,
            frame_numbers=numbers,
            claimed_frames=claimed,
            reason=reason,
        )


class _EachVideoOnce(DistributedSampler[int]):
    """Deals the videos out to the ranks: none twice, none padded, a rank may get none."""

    def __init__(self, videos: _Videos, ranks: int, rank: int) -> None:
        super().__init__(videos, num_replicas=ranks, rank=rank, shuffle=False)
        self._dealt = range(rank, len(videos), ranks)

    def __iter__(self) -> Iterator[int]:
        return iter(self._dealt)

    def __len__(self) -> int:
        return len(self._dealt)


def _only_item(items: list[VideoFrames]) -> VideoFrames:
    """Videos differ in size, so that a batch is one video."""
    return items[0]


class VideoFramesDataModule(pl.LightningDataModule):
    """Feeds whole videos to `Trainer.predict`, one a batch, each on exactly one rank.

    Args:
        records: The videos; a batch names its own by the index in here.
        frames_per_video: Evenly spaced frames to take of each.
        num_workers: Processes that decode beside the one that detects; 0 decodes in between.

    Raises:
        InputError: A number is out of range.
    """

    def __init__(
        self, records: Sequence[VideoRecord], frames_per_video: int = 8, num_workers: int = 0
    ) -> None:
        super().__init__()
        if frames_per_video < 1:
            msg = f"frames_per_video {frames_per_video}: expected 1 or more"
            raise InputError(msg)
        if num_workers < 0:
            msg = f"num_workers {num_workers}: expected 0 or more"
            raise InputError(msg)
        self.records = records
        self.frames_per_video = frames_per_video
        self.num_workers = num_workers
        # With fewer videos than ranks some ranks have nothing to do.
        self.allow_zero_length_dataloader_with_multiple_devices = True

    def predict_dataloader(self) -> DataLoader[VideoFrames]:
        """Make the loader of this rank; items are `VideoFrames`."""
        videos = _Videos(self.records, self.frames_per_video)
        ranks = self.trainer.world_size if self.trainer else 1
        rank = self.trainer.global_rank if self.trainer else 0
        return DataLoader(
            videos,
            batch_size=1,
            sampler=_EachVideoOnce(videos, ranks, rank),
            num_workers=self.num_workers,
            collate_fn=_only_item,
        )
