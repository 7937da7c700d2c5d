"""Seconds to read, check and plan a list of 100,000 videos, at first and when resumed.

    python -m benchmarks.data_list

The videos are empty files in folders of 1,000; the store of the resumed plan has a ledger entry for
each. Processor time is that of the process.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import machine
from datamodules.crops.store import ExtractionSettings
from datamodules.crops.store_writer import CropStoreWriter, VideoCrops
from experiments.extraction import plan_extraction

RESULTS = Path(__file__).parent / "results" / "data"
SETTINGS = ExtractionSettings(256, 1.3, 32)
METHODS = ("original", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def write_list(folder: Path, videos: int) -> Path:
    """Write empty files and their list: five videos per person, one of them real."""
    rows = ["path,label,method,split,identity,source,skin_tone"]
    for number in range(videos):
        person, method = divmod(number, len(METHODS))
        split = ("train", "train", "train", "val", "test")[person % 5]
        path = Path(METHODS[method], str(number // 1000), f"{number}.mp4")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
        source = f"s{person}" if method else ""
        rows.append(f"{path},{int(method > 0)},{METHODS[method]},{split},p{person},{source},dark")
    file = folder / "videos.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


def plan(file: Path, out: Path) -> tuple[dict[str, Any], list[Any]]:
    """Plan the extraction of a list, and measure it."""
    began, used = time.perf_counter(), time.process_time()
    planned = plan_extraction(None, out, SETTINGS, video_list=file)
    figures = {
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - used, 1),
        "pending": len(planned.pending),
    }
    return figures, list(planned.pending)


def main(videos: int = 100_000) -> None:
    with tempfile.TemporaryDirectory() as work:
        file, out = write_list(Path(work) / "set", videos), Path(work) / "crops"
        first, records = plan(file, out)
        store = CropStoreWriter(out, SETTINGS)
        store.create()
        none = np.empty((0, 4))
        empty = np.empty((0, 256, 256, 3), np.uint8)
        for record in records:
            store.write(record, VideoCrops([0], [], none, none[:, 0], empty, [], {0: "no face"}))
        resumed, _ = plan(file, out)
    result = {
        "command": f"python -m benchmarks.data_list {' '.join(sys.argv[1:])}".strip(),
        "machine": machine(torch.device("cpu")),
        "videos": videos,
        "first": first,
        "resumed": resumed,
    }
    text = json.dumps(result, indent=2)
    print(text)
    if videos == 100_000:
        (RESULTS / "list.json").write_text(text + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
