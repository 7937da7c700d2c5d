from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray


class UnreadableVideoError(ValueError):
    """No frame of a video can be decoded."""


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a video, counted without decoding it."""

    length: int
    claimed: int | None
    """Number of frames that the container claims, if larger than `length`."""
    numbers: dict[int, int] | None
    """By presentation time, the frame's number from 0; None if there are no such times."""


def index_frames(path: Path) -> FrameIndex:
    """Read the packets of a video, up to where a broken copy is cut off.

    Raises:
        UnreadableVideoError: The path is not a regular file, not a video, or has no frame.
    """
    if not path.is_file():
        # Opening a FIFO would wait for a writer.
        msg = "not a regular file" if path.exists() else "no such file, or a dangling link"
        raise UnreadableVideoError(msg)
    times: list[int | None] = []
    claimed = 0
    try:
        with av.open(path) as container:
            if container.streams.video:
                stream = container.streams.video[0]
                claimed = stream.frames
                times = [packet.pts for packet in _whole_packets(container, stream)]
    except av.FFmpegError as error:
        raise UnreadableVideoError(error.strerror or type(error).__name__) from error
    if not times:
        msg = "it has no video frame"
        raise UnreadableVideoError(msg)
    known = sorted({time for time in times if time is not None})
    numbers = {time: number for number, time in enumerate(known)}
    return FrameIndex(
        length=len(times),
        claimed=claimed if claimed > len(times) else None,
        numbers=numbers if len(numbers) == len(times) else None,
    )


def evenly_spaced(length: int, count: int) -> NDArray[np.int64]:
    """Return the middle frames of `count` equal parts of a video, or all of a shorter one."""
    if length <= count:
        return np.arange(length)
    return (2 * np.arange(count) + 1) * length // (2 * count)


def decode_frames(
    path: Path, index: FrameIndex, wanted: Iterable[int]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Decode a video once, forward, and yield the numbers and pixels of the wanted frames.

    Frames are `[H, W, 3]` RGB, upright according to the rotation in the container. Seeking is
    slower, because key frames are far apart. Frames that no other frame refers to are decoded only
    if wanted. A frame that cannot be decoded is replaced by the next one that can, under that
    frame's number.

    Raises:
        UnreadableVideoError: The video can no longer be opened.
    """
    left = set(wanted)
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            # One video per thread is faster than several threads per video.
            stream.thread_type = "NONE"
            width, height = stream.width, stream.height
            # A frame's own converter would be set up anew for every frame.
            converter = VideoReformatter()
            for position, frame in enumerate(_pictures(container, stream, index, left)):
                number = position
                if index.numbers is not None:
                    # -1 if no packet has this time.
                    number = -1 if frame.pts is None else index.numbers.get(frame.pts, -1)
                due = {one for one in left if one <= number}
                if due:
                    # A stream may change its size; all frames get the first one's.
                    picture = converter.reformat(frame, width, height, "rgb24").to_ndarray()
                    upright = np.rot90(picture, k=round(frame.rotation / 90))
                    yield number, np.ascontiguousarray(upright)
                    left -= due
                if not left:
                    return
    except av.FFmpegError as error:
        raise UnreadableVideoError(error.strerror or type(error).__name__) from error


def _pictures(
    container: InputContainer, stream: av.VideoStream, index: FrameIndex, wanted: set[int]
) -> Iterator[av.VideoFrame]:
    """Decode in the order of presentation, and skip damaged packets."""
    numbers = index.numbers
    for packet in _whole_packets(container, stream):
        if numbers is not None:
            is_wanted = packet.pts is not None and numbers.get(packet.pts) in wanted
            stream.codec_context.skip_frame = "DEFAULT" if is_wanted else "NONREF"
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue
    yield from stream.decode(None)


# av.Packet is generic in its stubs only, so its annotation is quoted.
def _whole_packets(
    container: InputContainer, stream: av.VideoStream
) -> Iterator["av.Packet[av.VideoStream]"]:
    """Yield the packets up to the end, or up to where a broken copy is cut off."""
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                return
            if packet.size and not packet.is_discard:
                yield packet
    except av.FFmpegError:
        return
