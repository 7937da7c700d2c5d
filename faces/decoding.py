import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image, ImageOps

from faces.containers import (
    Limits,
    UnreadableVideoError,
    find_video,
    open_container,
    require_regular_file,
)
from faces.frame_index import FrameIndex, whole_packets
from faces.orientation import displayed_size, turn_upright

_IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")


def decode_frames(
    path: Path, index: FrameIndex, wanted: Iterable[int], limits: Limits | None = None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Decode a video once, forward, and yield the numbers and pixels of the wanted frames.

    Frames are `[H, W, 3]` RGB with square pixels, upright according to the display matrix. Groups
    of pictures without a wanted frame are skipped. So are, within the others, frames that no other
    frame refers to. A frame that cannot be decoded is replaced by the next one that can, under that
    frame's number.

    Raises:
        UnreadableVideoError: The video can no longer be opened, or a frame exceeds the limits.
    """
    numbers = {int(number) for number in wanted}
    left = deque(sorted(numbers))
    limits = limits or Limits()
    with open_container(path, limits) as container:
        stream = find_video(container)
        if stream is None:  # the file has changed since it was indexed
            return
        # One video per thread is faster than several threads per video.
        stream.thread_type = "NONE"
        # AV1's decoder keeps the `skip_frame` that it is opened with: here, to skip none.
        stream.codec_context.open()
        # A stream may change its size; all frames get the first one's.
        size = displayed_size(stream.width, stream.height, stream.sample_aspect_ratio)
        limits.check_size(*size)
        # A frame's own converter would be set up anew for every frame.
        converter = VideoReformatter()
        for position, frame in enumerate(_pictures(container, stream, index, numbers, left)):
            number = position if index.times is None else index.number(frame.pts)
            if left and left[0] <= number:
                converted = converter.reformat(frame, *size, "rgb24").to_ndarray()
                picture = np.asarray(converted, dtype=np.uint8)
                upright = turn_upright(picture, _display_matrix(frame))
                yield number, np.ascontiguousarray(upright)
                while left and left[0] <= number:
                    left.popleft()
            if not left:
                return


def decode_image(path: Path, limits: Limits | None = None) -> NDArray[np.uint8]:
    """Decode an image, `[H, W, 3]` RGB, upright according to its EXIF data.

    Raises:
        UnreadableVideoError: It is not a regular file, not an image, cut short, or too large.
    """
    require_regular_file(path)
    try:
        with warnings.catch_warnings():
            # Damaged metadata; the limits replace Pillow's own, which only warns at first.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_IMAGE_FORMATS) as image:
                (limits or Limits()).check_size(*image.size)
                upright = ImageOps.exif_transpose(image)
                if upright.mode.startswith("I;16"):
                    # Pillow would clip 16 bits to 8.
                    upright = Image.fromarray((np.asarray(upright) // 256).astype(np.uint8))
                return np.array(upright.convert("RGB"))
    except (Image.DecompressionBombError, MemoryError) as error:
        msg = "too many pixels"
        raise UnreadableVideoError(msg) from error
    # Pillow calls a broken PNG a SyntaxError.
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, UnreadableVideoError):
            raise
        msg = "not an image, or cut short"
        raise UnreadableVideoError(msg) from error


def _pictures(
    container: InputContainer,
    stream: av.VideoStream,
    index: FrameIndex,
    wanted: set[int],
    left: deque[int],
) -> Iterator[av.VideoFrame]:
    """Decode in the order of presentation, without unneeded groups, and skip damaged packets."""
    needed, group, is_decoding = index.needed_groups(wanted), 0, True
    for packet in whole_packets(container, stream):
        if packet.is_keyframe and not packet.is_discard and index.times is not None:
            group += 1
            # The file may have grown since it was indexed.
            is_needed = bool(needed[group : group + 1].any())
            if is_decoding and not is_needed:
                # The decoder still holds frames of the group before.
                yield from stream.decode(None)
                stream.codec_context.flush_buffers()
            # Replaces a wanted frame of the group before that could not be decoded.
            is_overdue = bool(left) and left[0] < index.number(packet.pts)
            is_decoding = is_overdue or is_needed
        if not is_decoding:
            continue
        if index.times is not None:
            is_wanted = index.number(packet.pts) in wanted
            stream.codec_context.skip_frame = "DEFAULT" if is_wanted else "NONREF"
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
    yield from stream.decode(None)


def _display_matrix(frame: av.VideoFrame) -> NDArray[np.float64] | None:
    """Return the `[2, 2]` matrix of a frame's side data, or None."""
    # PyAV's stubs call it a mapping of names, but it iterates over the data.
    entries: Iterable[Any] = frame.side_data
    for data in entries:
        if data.type.name == "DISPLAYMATRIX":
            return np.frombuffer(bytes(data), dtype=np.int32)[:9].reshape(3, 3)[:2, :2] / 2.0**16
    return None
