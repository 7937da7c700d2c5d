import os
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 8
CRF = {"c23": 23, "c40": 40}


def encode(frames: NDArray[np.uint8], path: Path, crf: int) -> None:
    """Write an H.264 video; originals, forgeries and masks all pass through here.

    The file appears under its name only when it is complete. One thread and a fixed preset make
    its bytes a function of the frames alone.

    Args:
        frames: `[n, H, W, 3]` RGB.
        path: The `.mp4` to write; its folder is made.
        crf: Constant rate factor of libx264.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with av.open(part, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {"crf": str(crf), "preset": "medium", "threads": "1"}
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    part.replace(path)
