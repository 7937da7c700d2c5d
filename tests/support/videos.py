import json
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.mini_ffpp.ffpp import MiniFFPP
from datamodules.mini_ffpp.people import FFPP, Population
from experiments.extraction import ExtractionResult
from faces.decoding import decode_frames
from faces.frame_index import evenly_spaced, index_frames
from tests.support.extracting import extract_crops
from tests.support.sharing import make_once

Frames = Iterable[NDArray[np.uint8]]
WriteVideo = Callable[..., Path]

ReadFrames = Callable[[Path, int], dict[int, NDArray[np.uint8]]]


@pytest.fixture(scope="session")
def small_population() -> Population:
    """The people of `small_ffpp`."""
    return Population(seed=0, data_set=FFPP, frames=4, size=160)


@pytest.fixture(scope="session")
def small_ffpp(tmp_path_factory: pytest.TempPathFactory, small_population: Population) -> Path:
    """A miniature of FaceForensics++: 6 originals and 24 fakes of 4 rendered frames."""
    return make_once(
        tmp_path_factory,
        "small-ffpp",
        lambda root: MiniFFPP(root, small_population, (2, 2, 2)).generate(workers=1),
    )


@pytest.fixture(scope="session")
def small_store(small_ffpp: Path, tmp_path_factory: pytest.TempPathFactory) -> ExtractionResult:
    """Its crops, extracted in this process without an interruption."""
    out = tmp_path_factory.mktemp("crops") / "store"
    return extract_crops(small_ffpp, out)


@pytest.fixture(scope="session")
def store_contents() -> Callable[[Path], dict[str, bytes]]:
    """Read every file of a store, without the duration in its summary."""

    def read(store: Path) -> dict[str, bytes]:
        files = {
            str(path.relative_to(store)): path.read_bytes()
            for path in store.rglob("*")
            if path.is_file()
        }
        summary = json.loads(files["extraction.json"])
        summary.pop("seconds")
        return {**files, "extraction.json": json.dumps(summary).encode()}

    return read


@pytest.fixture(scope="session")
def read_frames() -> ReadFrames:
    """Read evenly spaced frames of a video, by their numbers."""

    def read(path: Path, count: int) -> dict[int, NDArray[np.uint8]]:
        index = index_frames(path)
        return dict(decode_frames(path, index, evenly_spaced(index.length, count)))

    return read


@pytest.fixture(scope="session")
def write_video() -> WriteVideo:
    """Encode frames with libx264, as the data sets' videos are."""

    def write(
        path: Path,
        frames: Frames,
        rotation: int = 0,
        container: str = "mp4",
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        **options: str,
    ) -> Path:
        with av.open(path, "w", format=container, options=options) as output:
            stream = output.add_stream(codec, rate=25)
            stream.pix_fmt = pix_fmt
            frames = list(frames)
            stream.height, stream.width = frames[0].shape[:2]
            if rotation:
                stream.set_display_rotation(rotation)
            for frame in frames:
                output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            output.mux(stream.encode())
        return path

    return write


@pytest.fixture(scope="session")
def damage() -> Callable[[Path, Iterable[int]], None]:
    """Overwrite packets of a video with zeros."""

    def damage(path: Path, numbers: Iterable[int]) -> None:
        content = bytearray(path.read_bytes())
        with av.open(path) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        for number in numbers:
            packet = packets[number]
            content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
        path.write_bytes(content)

    return damage


@pytest.fixture(scope="session")
def numbered_frames() -> Callable[[int], list[NDArray[np.uint8]]]:
    """Frames whose grey level is their number, brighter on the left and on top."""

    def make(count: int) -> list[NDArray[np.uint8]]:
        frames = []
        for number in range(count):
            frame = np.full((48, 64, 3), number, dtype=np.uint8)
            frame[:8, :8] = 255
            frames.append(frame)
        return frames

    return make
