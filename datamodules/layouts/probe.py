from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av

from records.files import sha256


@dataclass(frozen=True)
class Probe:
    """What a video's container claims, and whether the file holds it.

    `size` is in bytes; the container claims `seconds`, but the last frame `ends_at`. `reason` says
    why the video cannot be read, None if it can.
    """

    size: int
    seconds: float = 0.0
    ends_at: float = 0.0
    reason: str | None = None

    @property
    def is_short(self) -> bool:
        """Whether the file ends before its container claims: an interrupted download."""
        return self.reason is None and self.ends_at < 0.95 * self.seconds

    @property
    def bit_rate(self) -> float:
        """Bits per second."""
        return 8 * self.size / max(self.seconds, 1e-6)


def probe(path: Path) -> Probe:
    """Read a video's header, its first frame and its last packets, in a few milliseconds."""
    if not path.is_file():  # opening a FIFO would wait for ever
        found = "not a regular file" if path.exists() else "a link to a file that does not exist"
        return Probe(0, reason=found)
    size = path.stat().st_size
    if size == 0:
        return Probe(0, reason="empty file")
    try:
        with av.open(path) as container:
            if not container.streams.video:
                return Probe(size, reason="no video stream")
            stream = container.streams.video[0]
            base = float(stream.time_base or 0)
            start = (stream.start_time or 0) * base
            if next(container.decode(stream), None) is None:
                return Probe(size, reason="no frame")
            container.seek(2**62, backward=True, stream=stream)
            ends = [
                ((packet.pts or 0) + (packet.duration or 0)) * base - start
                for packet in container.demux(stream)
                if packet.pts is not None
            ]
            return Probe(size, float(stream.duration or 0) * base, max(ends, default=0.0))
    except (av.FFmpegError, OSError) as error:
        return Probe(size, reason=str(error.strerror or error))


def duplicates(paths: Iterable[Path]) -> list[list[Path]]:
    """Find files with the same content; only files of the same size are read."""
    by_size = defaultdict(list)
    for path in paths:
        if path.is_file() and (size := path.stat().st_size):
            by_size[size].append(path)
    by_content = defaultdict(list)
    for same in by_size.values():
        if len(same) > 1:
            for path in same:
                by_content[sha256(path)].append(path)
    return [same for same in by_content.values() if len(same) > 1]
