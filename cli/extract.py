from collections.abc import Sequence
from pathlib import Path

from msgspec import structs
from rich.console import Console

from datamodules.crops.manifest import MANIFEST
from datamodules.crops.store import SUMMARY, WITHOUT_CROP, ExtractionSettings
from experiments.extraction import ExtractionResult, plan_extraction

_LISTED = 5


def extract(
    out: Path,
    root: Path | None = None,
    list: Path | None = None,
    dataset: str | None = None,
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
    """Extract face crops from a data set or from your own videos into a crop store.

    The same command resumes after an interruption. With another root or list and the same out, it
    adds that data set to the store.

    Args:
        out: A new or empty folder, or a crop store with the same settings.
        root: A data set as distributed (FaceForensics++, Celeb-DF, Celeb-DF++, DFDC, its preview,
            DeeperForensics-1.0), or a folder with real/ and fake/. With a list: the folder that its
            paths start from and must lie inside.
        list: CSV with one row per video and the columns path, label (1 = fake), method, split,
            identity and source, see docs/data.md; paths are relative to it, or absolute.
        dataset: Name of the data set in the store and in results. Default: that of the tree or
            list. Two renderings of the miniature need two names to be in one table.
        compression: Compression of FaceForensics++: raw (or c0, the same), c23 or c40.
        methods: Forgery methods of FaceForensics++, default: the four of the usual protocol; or
            variants of DeeperForensics-1.0, default: end_to_end.
        frames_per_video: Number of evenly spaced frames per video.
        size: Side of a crop, in pixels.
        scale: Side of the cropped square, in units of the longer side of the face's box.
        all_faces: Crop every person. Default: only the manipulated one if the data set has masks,
            otherwise the largest over the whole video.
        limit: Largest number of videos, spread over methods and splits.
        dry_run: Write nothing; print the number of videos and the estimated time and disk space.
        num_workers: Threads per device that decode during detection; 0 decodes between detections.
        accelerator: cpu, gpu or auto.
        devices: Number of devices, or auto.
        num_nodes: Number of machines.
        strategy: Lightning's strategy for several devices.
    """
    settings = ExtractionSettings(size, scale, frames_per_video, all_faces)
    plan = plan_extraction(root, out, settings, compression, methods, limit, list, dataset)
    trainer = {"accelerator": accelerator, "devices": devices}
    trainer |= {"num_nodes": num_nodes, "strategy": strategy}
    # Both import Lightning, which takes seconds: mistakes in the options above are reported first.
    if dry_run:
        from experiments.extraction_estimate import estimate_extraction

        estimate = [f"{out}: all videos are extracted already"]
        if plan.pending:
            estimate = estimate_extraction(plan, num_workers, **trainer).lines()
        _print([*plan.layout.lines(), *estimate, "nothing was written"])
        return
    from experiments.extraction_run import run_extraction

    result = run_extraction(plan, num_workers, **trainer)
    if result.is_main:
        print_extraction(result)


def print_extraction(result: ExtractionResult) -> None:
    """Print the counts, the frames and videos without crops, and the paths of the files."""
    lines, found = list(result.remarks), result.summary
    if not result.extracted:
        lines.append(f"{result.out}: all videos are extracted already")
    crops = f"{found.crops} crops of {found.frames} frames"
    lines.append(f"{found.videos} videos, {crops} in {found.seconds:.0f} s")
    for title, items, form in (
        ("frames without a crop", found.frames_without_face, "{key} frame {frame}: {reason}"),
        ("videos without a face", found.videos_without_face, "{key}"),
        ("unreadable videos", found.unreadable, "{path}: {reason}"),
        ("incomplete videos", found.shorter_than_claimed, "{key}, {claimed} frames claimed"),
    ):
        lines.append(f"{title}: {len(items)}")
        lines += ["  " + form.format(**structs.asdict(item)) for item in items[:_LISTED]]
        if len(items) > _LISTED:
            lines.append(f"  and {len(items) - _LISTED} more")
    lines.append(f"crops     {result.out / MANIFEST}")
    lines.append(f"no crop   {result.out / WITHOUT_CROP}")
    _print([*lines, f"all lists {result.out / SUMMARY}"])


def _print(lines: Sequence[str]) -> None:
    console = Console(markup=False, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line)
