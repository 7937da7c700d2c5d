from pathlib import Path
from typing import Any

from datamodules.crops.store import ExtractionSettings
from experiments.extraction import ExtractionResult, plan_extraction
from experiments.extraction_run import run_extraction


def extract_crops(
    root: Path, out: Path, *, num_workers: int = 0, all_faces: bool = False, **planned: Any
) -> ExtractionResult:
    """Extract three crops of 64 px per video on the CPU, in this process."""
    plan = plan_extraction(root, out, ExtractionSettings(64, 1.3, 3, all_faces), **planned)
    return run_extraction(plan, num_workers, accelerator="cpu")
