from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


class UnreadableVideoError(ValueError):
    """A video of which no frame can be decoded."""


@dataclass(frozen=True)
class FrameIndex:
    """What frames a video holds, found without decoding it.

    Attributes:
        length: Frames whose data is there.
        claimed: Frames that the container says there are, where that is more.
        numbers: By presentation time, the frame's number from 0; None where the container gives
            no times.
    """

    length: int
    claimed: int | None
    numbers: dict[int, int] | None


def index_frames(path: Path) -> FrameIndex:
    """Read a video's packets, up to where a broken copy is cut off.

    Raises:
        UnreadableVideoError: It is no video or holds no frame.
    """
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
        msg = "no video frame in it"
        raise UnreadableVideoError(msg)
    known = sorted({time for time in times if time is not None})
    numbers = {time: number for number, time in enumerate(known)}
    return FrameIndex(
        length=len(times),
        claimed=claimed if claimed > len(times) else None,
        numbers=numbers if len(numbers) == len(times) else None,
    )


def evenly_spaced(length: int, count: int) -> NDArray[np.int64]:
    """Pick the middles of `count` equal parts of a video; every frame of a shorter one.

    Args:
        length: Frames in the video.
        count: Frames wanted.
    """
    if length <= count:
        return np.arange(length)
    return (2 * np.arange(count) + 1) * length // (2 * count)


def decode_frames(
    path: Path, index: FrameIndex, wanted: Iterable[int]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Decode a video once, forward, and give the wanted frames of it.

    Seeking is slower: key frames are far apart. Frames that no other one refers to are not decoded
    unless wanted, and only wanted ones are converted. For a frame that cannot be decoded the next
    one that can comes in its place, under its own number, or none.

    Args:
        path: The video.
        index: What `index_frames` says of it.
        wanted: Numbers of frames.

    Yields:
        A frame's number, and the frame `[H, W, 3]` RGB, turned upright as the container's rotation
        says.

    Raises:
        UnreadableVideoError: It cannot be opened any more.
    """
    left = set(wanted)
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            # A video of its own for each thread is quicker than several threads for one.
            stream.thread_type = "NONE"
            width, height = stream.width, stream.height
            for position, frame in enumerate(_pictures(container, stream, index, left)):
                number = _number(position, frame.pts, index)
                due = {one for one in left if one <= number}
                if due:
                    # A stream that changes its size on the way is brought to the first one's.
                    picture = frame.to_ndarray(format="rgb24", width=width, height=height)
                    upright = np.rot90(picture, k=round(frame.rotation / 90))
                    yield number, np.ascontiguousarray(upright)
                    left -= due
                if not left:
                    return
    except av.FFmpegError as error:
        raise UnreadableVideoError(error.strerror or type(error).__name__) from error


def _number(position: int, time: int | None, index: FrameIndex) -> int:
    """A frame's number; -1 where its time is not among the packets'."""
    if index.numbers is None:
        return position
    return -1 if time is None else index.numbers.get(time, -1)


def _pictures(
    container: "av.container.InputContainer",
    stream: av.VideoStream,
    index: FrameIndex,
    wanted: set[int],
) -> Iterator[av.VideoFrame]:
    """Decode in the order of presentation; a damaged packet gives nothing."""
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


def _whole_packets(
    container: "av.container.InputContainer", stream: av.VideoStream
) -> Iterator["av.Packet[av.VideoStream]"]:
    """Demultiplex up to the end, or to where a broken copy is cut off."""
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                return
            if packet.size and not packet.is_discard:
                yield packet
    except av.FFmpegError:
        return
