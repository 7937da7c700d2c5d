from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from faces.containers import Limits, UnreadableVideoError, find_video, open_container

_HDR = {16: "PQ", 18: "HLG"}
_MICROSECOND = 1e-6
_USUAL_RATE = 25


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """The frames of a video, counted without decoding it.

    Attributes:
        seconds: `[length]` presentation times in ascending order, from the start of the file.
        claimed: Number of shown frames that the container claims, if larger than `length`.
        transfer: "PQ" or "HLG" if the video is HDR; its colours are not converted.
        times: `[length]` presentation times in the order of decoding, in the stream's unit; None
            if some are missing or equal. Frames are then numbered in the order of decoding.
        key_frames: `[k]` positions of the key frames in the order of decoding.
    """

    seconds: NDArray[np.float64]
    claimed: int | None = None
    transfer: str | None = None
    times: NDArray[np.int64] | None = None
    key_frames: NDArray[np.int64] | None = None

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.seconds)

    @cached_property
    def _presented(self) -> NDArray[np.int64]:
        return np.empty(0, dtype=np.int64) if self.times is None else np.sort(self.times)

    def number(self, time: int | None) -> int:
        """Return the number of the frame with this time, or -1 if no packet has it."""
        place = 0 if time is None else int(np.searchsorted(self._presented, time))
        found = place < len(self._presented) and self._presented[place] == time
        return place if found else -1

    def needed_groups(self, wanted: Iterable[int]) -> NDArray[np.bool_]:
        """Return which groups of pictures are decoded for the wanted frames, `[k + 1]`.

        Group 0 is before the first key frame. A frame needs its group and the one before, to which
        an open group refers, and in which a picture without key frames is refreshed part by part.
        """
        keys = np.empty(0, dtype=np.int64) if self.key_frames is None else self.key_frames
        needed = np.zeros(len(keys) + 1, dtype=np.bool_)
        if self.times is None:
            return ~needed
        numbers = np.array([number for number in wanted if number < self.length], dtype=np.int64)
        group = np.searchsorted(keys, np.argsort(self.times)[numbers], side="right")
        needed[group] = needed[np.maximum(group - 1, 0)] = True
        return needed


def index_frames(path: Path, limits: Limits | None = None) -> FrameIndex:
    """Read the packets of a video, up to where a broken copy is cut off.

    Raises:
        UnreadableVideoError: The path is not a regular file, not a video, has no frame, or exceeds
            the limits (default: `Limits()`).
    """
    limits = limits or Limits()
    # A day at 50 frames per second takes 35 MB.
    times, keys, are_known, claimed = array("q"), array("q"), True, 0
    with open_container(path, limits) as container:
        stream = find_video(container)
        if stream is not None:
            claimed = stream.frames
            unit, start = float(stream.time_base or 0), (container.start_time or 0) * _MICROSECOND
            rate = float(stream.average_rate or _USUAL_RATE)
            transfer = _HDR.get(int(stream.codec_context.color_trc))
            for packet in whole_packets(container, stream):
                if packet.is_discard:  # cut away by an edit list; frames may still refer to it
                    claimed -= 1
                    continue
                if packet.is_keyframe:
                    keys.append(len(times))
                are_known = are_known and packet.pts is not None
                times.append(packet.pts or 0)
                limits.check_length(len(times))
    if not times:
        msg = "it has no video frame"
        raise UnreadableVideoError(msg)
    ordered = np.frombuffer(times, dtype=np.int64)
    presented = np.unique(ordered)
    are_known = are_known and len(presented) == len(ordered)
    seconds = np.arange(len(ordered)) / rate
    if are_known:
        seconds = (presented * unit - start).astype(np.float64)
    limits.check_duration(float(seconds[-1] - seconds[0]))
    return FrameIndex(
        seconds=seconds,
        claimed=claimed if claimed > len(times) else None,
        transfer=transfer,
        times=ordered if are_known else None,
        key_frames=np.frombuffer(keys, dtype=np.int64) if keys else None,
    )


def evenly_spaced(length: int, count: int) -> NDArray[np.int64]:
    """Return the middle frames of `count` equal parts of a video, or all of a shorter one."""
    if length <= count:
        return np.arange(length)
    return (2 * np.arange(count) + 1) * length // (2 * count)


# av.Packet is generic in its stubs only, so its annotation is quoted.
def whole_packets(
    container: InputContainer, stream: av.VideoStream
) -> Iterator["av.Packet[av.VideoStream]"]:
    """Yield the packets up to the end, or up to where a broken copy is cut off."""
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                return
            if packet.size:
                yield packet
    except av.FFmpegError:
        return
