"""Opening a video file of unknown origin with FFmpeg."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition

# FFmpeg recognizes a file by its content, whatever its name. Not in this list are the formats that
# refer to other files or addresses, e.g. ffconcat, HLS and DASH.
_FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,ivf,obu,gif,dv,m4v,h264,hevc,mjpeg"
)


class UnreadableVideoError(ValueError):
    """No frame of a video can be decoded."""


@dataclass(frozen=True)
class Limits:
    """The largest file that is read; 8K video and films of a day are within them.

    Attributes:
        pixels: Of a frame or an image.
        frames: Of a video.
        seconds: Duration of a video.
    """

    pixels: int = 50_000_000
    frames: int = 4_000_000
    seconds: float = 24 * 3600.0

    def check_size(self, width: int, height: int) -> None:
        """Raise UnreadableVideoError if a frame or an image of this size is too large."""
        if width * height > self.pixels:
            msg = f"{width} x {height} px, more than {self.pixels / 1e6:g} megapixels"
            raise UnreadableVideoError(msg)

    def check_length(self, frames: int) -> None:
        """Raise UnreadableVideoError if a video has too many frames."""
        if frames > self.frames:
            msg = f"more than {self.frames} frames"
            raise UnreadableVideoError(msg)

    def check_duration(self, seconds: float) -> None:
        """Raise UnreadableVideoError if a video of this duration is too long."""
        if seconds > self.seconds:
            msg = f"{seconds:.0f} s long, more than {self.seconds:g} s"
            raise UnreadableVideoError(msg)


@contextmanager
def open_container(path: Path, limits: Limits) -> Iterator[InputContainer]:
    """Open a file, and no other file or address that it refers to.

    Raises:
        UnreadableVideoError: Also for errors of FFmpeg within the context.
    """
    require_regular_file(path)
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        # The prefix is for names with a colon, which would be a protocol's.
        container = av.open(f"file:{path}", container_options=options)
    except av.FFmpegError as error:
        raise UnreadableVideoError(_reason(error)) from error
    with container:
        try:
            stream = find_video(container)
            if stream is not None:
                context: Any = stream.codec_context  # None if no decoder exists
                if context is None:
                    msg = "its codec is unknown"
                    raise UnreadableVideoError(msg)
                limits.check_size(stream.width, stream.height)
                # A stream may change its size.
                context.options = {"max_pixels": str(limits.pixels)}
            yield container
        except av.FFmpegError as error:
            raise UnreadableVideoError(_reason(error)) from error


def find_video(container: InputContainer) -> av.VideoStream | None:
    """Return the main video stream, or None; the cover picture of a sound file is none."""
    stream = container.streams.best("video")
    if not isinstance(stream, av.VideoStream) or stream.disposition & Disposition.attached_pic:
        return None
    return stream


def require_regular_file(path: Path) -> None:
    """Raise UnreadableVideoError if the path is a folder, a FIFO or missing."""
    if not path.is_file():
        # Opening a FIFO would wait for a writer.
        msg = "not a regular file" if path.exists() else "no such file, or a dangling link"
        raise UnreadableVideoError(msg)


def _reason(error: av.FFmpegError) -> str:
    # FFmpeg's answer to a format that is not in the list.
    if error.errno == errno.EINVAL:
        return "not a video of a known format"
    if isinstance(error, av.error.InvalidDataError):
        return "not a video, or cut off before its index"
    return error.strerror or type(error).__name__
