import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Probe:
    """What a video file says about itself, and whether it holds what it says.

    Attributes:
        size: Bytes.
        seconds: As its container claims.
        frames: As its container claims; 0 where it does not.
        reason: Why it cannot be read; None where it can.
        ends_at: Seconds at which its last frame ends.
    """

    size: int
    seconds: float = 0.0
    frames: int = 0
    ends_at: float = 0.0
    reason: str | None = None

    @property
    def is_short(self) -> bool:
        """Whether the file ends before its container says: a broken download."""
        return self.reason is None and self.ends_at < 0.95 * self.seconds

    @property
    def bit_rate(self) -> float:
        """Bits a second."""
        return 8 * self.size / max(self.seconds, 1e-6)


def probe(path: Path) -> Probe:
    """Read a video's header, its first frame and its last packets: a few milliseconds."""
    size = path.stat().st_size
    if size == 0:
        return Probe(0, reason="empty file")
    try:
        with av.open(path) as container:
            if not container.streams.video:
                return Probe(size, reason="no video in it")
            stream = container.streams.video[0]
            base = float(stream.time_base or 0)
            start = (stream.start_time or 0) * base
            seconds = float(stream.duration or 0) * base
            if next(container.decode(stream), None) is None:
                return Probe(size, reason="no frame in it")
            container.seek(2**62, backward=True, stream=stream)
            ends = [
                ((packet.pts or 0) + (packet.duration or 0)) * base - start
                for packet in container.demux(stream)
                if packet.pts is not None
            ]
            return Probe(size, seconds, stream.frames, max(ends, default=0.0))
    except (av.FFmpegError, OSError) as error:
        return Probe(size, reason=str(error.strerror or error))


def duplicates(paths: Iterable[Path]) -> list[list[Path]]:
    """Find files of one content; only those of one size are read."""
    by_size = defaultdict(list)
    for path in paths:
        if size := path.stat().st_size:
            by_size[size].append(path)
    by_content = defaultdict(list)
    for same in by_size.values():
        if len(same) > 1:
            for path in same:
                by_content[_digest(path)].append(path)
    return [same for same in by_content.values() if len(same) > 1]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
