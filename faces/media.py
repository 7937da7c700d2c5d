"""Videos and images of unknown origin, decoded in a process of their own.

The process cannot write files, its memory and processor time are limited, and it sends numbers and
pixels only. So a file that makes the decoder crash or hang ends in a one-line error.
"""

import json
import mmap
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faces.containers import Limits, UnreadableVideoError
from faces.decoding import decode_frames, decode_image
from faces.frame_index import FrameIndex, index_frames

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
VIDEOS = (
    ".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg",
    ".mpeg", ".vob", ".flv", ".wmv", ".asf", ".ogv", ".mxf", ".ivf", ".gif", ".dv", ".h264",
    ".hevc", ".mjpeg",
)  # fmt: skip

# Every frame is preceded by its number, height and width. A negative number ends the frames; then
# the second one is the length of an error message.
_HEADER = struct.Struct("<qqq")
_ROOT = Path(__file__).resolve().parents[1]
_OPEN_FILES = 16
_LARGE = 2**20


@dataclass(frozen=True)
class ProcessLimits:
    """Limits of the process that decodes one file.

    Attributes:
        megabytes: Memory in addition to the program itself.
        seconds: Processor time, to read the packets of the file.
        seconds_per_frame: Further processor time per wanted frame, for the frames before it too.
    """

    megabytes: int = 2048
    seconds: int = 300
    seconds_per_frame: int = 20


class Media:
    """An opened video or image.

    Attributes:
        index: Its frames; an image has one.
        is_image: Whether it is an image.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", request: dict[str, Any]) -> None:
        self._process = process
        self._send(request)
        answer = json.loads(self._line())
        if "error" in answer:
            raise UnreadableVideoError(answer["error"])
        seconds = self._receive(8 * answer.pop("length")).view(np.float64)
        self.is_image: bool = answer.pop("is_image")
        self.index = FrameIndex(seconds, **answer)

    def frames(self, numbers: Iterable[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield the numbers and pixels of frames, once per file, as `decode_frames` does.

        Raises:
            UnreadableVideoError: The process ran out of memory or time, or crashed.
        """
        self._send([int(number) for number in numbers])
        while True:
            number, height, width = _HEADER.unpack(self._receive(_HEADER.size).tobytes())
            if number < 0:
                break
            yield number, self._receive(height * width * 3).reshape(height, width, 3)
        if height:
            raise UnreadableVideoError(self._receive(height).tobytes().decode())

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._end() from None

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._end()
        return line

    def _receive(self, count: int) -> NDArray[np.uint8]:
        # The heap would keep the memory of freed frames; a map of its own is returned.
        memory = mmap.mmap(-1, count) if count >= _LARGE else bytearray(count)
        content = np.frombuffer(memory, dtype=np.uint8)
        stream: Any = self._process.stdout  # buffered, which its type does not say
        if stream.readinto(content.data) < count:
            raise self._end()
        return content

    def _end(self) -> UnreadableVideoError:
        """Return why the process ended."""
        code = self._process.wait()
        if code == -getattr(signal, "SIGXCPU", 0):
            return UnreadableVideoError("decoding takes too much processor time")
        return UnreadableVideoError(f"the decoder crashed (exit status {code})")


@contextmanager
def open_media(
    path: Path, limits: Limits | None = None, process_limits: ProcessLimits | None = None
) -> Iterator[Media]:
    """Open a video, or an image by its suffix, in a process of its own.

    Raises:
        UnreadableVideoError: See `index_frames` and `decode_image`; also if a limit of the process
            is exceeded, or if it crashes.
    """
    request = {
        "path": str(path.absolute()),
        "limits": asdict(limits or Limits()),
        "process": asdict(process_limits or ProcessLimits()),
    }
    modules = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    # -P: a folder "faces" of the user's is not this one. In a session of its own, Ctrl-C reaches
    # the caller only.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": modules, "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,
    )
    try:
        yield Media(process, request)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def main() -> None:
    """Serve one file: what the process of `open_media` runs."""
    read, write = sys.stdin.buffer, sys.stdout.buffer
    request = json.loads(read.readline())
    path, limits = Path(request["path"]), Limits(**request["limits"])
    process_limits = ProcessLimits(**request["process"])
    is_image = path.suffix.lower() in IMAGES
    picture: NDArray[np.uint8] | None = None
    try:
        _restrict(process_limits)
        if is_image:
            picture = decode_image(path, limits)
        index = index_frames(path, limits) if picture is None else FrameIndex(np.zeros(1))
    except (UnreadableVideoError, MemoryError) as error:
        write.write(json.dumps({"error": _reason(error, process_limits)}).encode() + b"\n")
        return
    answer = {"length": index.length, "claimed": index.claimed, "transfer": index.transfer}
    write.write(json.dumps({**answer, "is_image": is_image}).encode() + b"\n")
    write.write(index.seconds.tobytes())
    write.flush()
    wanted = json.loads(read.readline() or "[]")
    _allow_seconds(process_limits.seconds + process_limits.seconds_per_frame * len(wanted))
    reason = b""
    try:
        frames = decode_frames(path, index, wanted, limits)
        for number, frame in frames if picture is None else [(n, picture) for n in wanted]:
            write.write(_HEADER.pack(number, *frame.shape[:2]))
            write.write(frame.data)
    except (UnreadableVideoError, MemoryError) as error:
        reason = _reason(error, process_limits).encode()
    write.write(_HEADER.pack(-1, len(reason), 0) + reason)
    write.flush()


def _restrict(limits: ProcessLimits) -> None:
    """Limit this process; where the system has no such limits, only those of the file hold."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _allow_seconds(limits.seconds)
    amounts = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    # Address space: other systems than Linux neither count it nor report what is in use.
    used = Path("/proc/self/statm")
    if used.exists():
        pages = int(used.read_text().split()[0])
        amounts[resource.RLIMIT_AS] = pages * resource.getpagesize() + limits.megabytes * 2**20
    for kind, amount in amounts.items():
        most = resource.getrlimit(kind)[1]
        allowed = amount if most == resource.RLIM_INFINITY else min(amount, most)
        resource.setrlimit(kind, (allowed, allowed))


def _allow_seconds(seconds: int) -> None:
    """Limit the processor time of this process since its start."""
    try:
        import resource
    except ImportError:  # Windows
        return
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    allowed = seconds if most == resource.RLIM_INFINITY else min(seconds, most)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))


def _reason(error: Exception, limits: ProcessLimits) -> str:
    if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
        return f"decoding needs more than {limits.megabytes} MB of memory"
    return str(error)


if __name__ == "__main__":
    main()
