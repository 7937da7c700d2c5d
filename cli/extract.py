from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.extraction import Extraction

_LISTED = 5


def extract(
    root: Path,
    out: Path,
    compression: str = "c23",
    methods: list[str] | None = None,
    frames_per_video: int = 32,
    size: int = 256,
    scale: float = 1.3,
    all_faces: bool = False,
    limit: int | None = None,
    dry_run: bool = False,
    num_workers: int = 2,
    accelerator: str = "auto",
    devices: int | str = "auto",
    num_nodes: int = 1,
    strategy: str = "auto",
) -> None:
    """Extract the faces of FaceForensics++ or Celeb-DF into a crop store.

    Run again after an interruption, it goes on where it stopped. Run with another root and the
    same out, it adds that data set to the store.

    Args:
        root: Root of FaceForensics++ or Celeb-DF, in the tree it is distributed in.
        out: Folder of the crop store; new, empty or a crop store with the same settings.
        compression: Of FaceForensics++: raw (or c0, the same), c23 or c40.
        methods: Forgeries of FaceForensics++; default: the four of the usual protocol.
        frames_per_video: Evenly spaced frames to take of each video.
        size: Side of a crop in pixels.
        scale: Side of the square that is cut out, in units of the longer side of the face's box.
        all_faces: Keep everyone's face; by default the manipulated one where the data set's masks
            tell, else the one that is largest over the whole video.
        limit: Take at most so many videos, of every method and split alike.
        dry_run: Write nothing; say what there is to do and about how much time and disk it takes.
        num_workers: Threads that decode videos beside the detection, for each device; 0 decodes in
            between.
        accelerator: cpu, gpu or auto.
        devices: How many devices find faces, or auto.
        num_nodes: How many machines.
        strategy: Lightning's strategy for several devices.
    """
    from experiments.extraction import plan_extraction, run_extraction

    plan = plan_extraction(
        root,
        out,
        compression=compression,
        methods=methods,
        frames_per_video=frames_per_video,
        size=size,
        scale=scale,
        all_faces=all_faces,
        limit=limit,
    )
    trainer = {
        "accelerator": accelerator,
        "devices": devices,
        "num_nodes": num_nodes,
        "strategy": strategy,
    }
    if dry_run:
        from experiments.extraction_estimate import print_estimate

        print_estimate(plan, num_workers, trainer)
        return
    result = run_extraction(plan, num_workers, **trainer)
    if result.is_main:
        print_extraction(result)


def print_extraction(result: "Extraction") -> None:
    """Tell the user what came out, what did not, and where it all lies."""
    from rich.console import Console

    from datamodules.crops.manifest import MANIFEST
    from datamodules.crops.store import WITHOUT_CROP

    console = Console(highlight=False, soft_wrap=True)
    for line in result.remarks:
        console.print(line, markup=False)
    summary = result.summary
    if not result.extracted:
        console.print(f"{result.out}: everything is there, nothing to extract", markup=False)
    console.print(
        f"{summary['videos']} videos, {summary['crops']} crops of {summary['frames']} frames "
        f"in {summary['seconds']:.0f} s"
    )
    _print_list(
        console,
        "frames without a crop",
        summary["frames_without_face"],
        "{key} frame {frame}: {reason}",
    )
    _print_list(console, "videos without a face", summary["videos_without_face"], "{key}")
    _print_list(console, "unreadable videos", summary["unreadable"], "{path}: {reason}")
    _print_list(
        console,
        "videos shorter than they claim",
        summary["shorter_than_claimed"],
        "{key} ({claimed} claimed)",
    )
    console.print(f"crops     {result.out / MANIFEST}", markup=False)
    console.print(f"no crop   {result.out / WITHOUT_CROP}", markup=False)
    console.print(f"all lists {result.out / 'extraction.json'}", markup=False)


def _print_list(console: Any, what: str, items: Sequence[dict[str, Any]], form: str) -> None:
    """Count the items and name the first few."""
    console.print(f"{what}: {len(items)}")
    for item in items[:_LISTED]:
        console.print("  " + form.format(**item), markup=False)
    if len(items) > _LISTED:
        console.print(f"  and {len(items) - _LISTED} more")
