from pathlib import Path
from typing import Any

from experiments.extraction import ExtractionResult, plan_extraction
from experiments.extraction_run import run_extraction


def extract_crops(
    root: Path, out: Path, *, num_workers: int = 0, **planned: Any
) -> ExtractionResult:
    """Extract three crops of 64 px per video on the CPU, in this process."""
    options = {"compression": "c23", "frames_per_video": 3, "size": 64, **planned}
    return run_extraction(plan_extraction(root, out, **options), num_workers, accelerator="cpu")
