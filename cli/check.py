import sys
from pathlib import Path


def check(
    paths: list[Path],
    detector: Path = Path("detector"),
    calibration: Path | None = None,
    out: Path = Path("checks"),
    every: float = 0.5,
    max_frames: int = 60,
    csv: Path | None = None,
    json: bool = False,
) -> None:
    """Judge the people in videos and images, and explain what the verdict means.

    Exit status 0: every file has a verdict; 1: some have none, with the reason; 2: bad input,
    e.g. a path that names no video or image. The same command resumes after an interruption.

    Args:
        paths: Videos, images, folders or patterns.
        detector: A package of two-in-one export.
        calibration: A file of two-in-one calibrate. Default: the one in the package, if any.
        out: Folder of the pages, one per file, and of the results.
        every: Seconds between sampled frames.
        max_frames: The most frames per video, evenly spaced over it.
        csv: File for a table with one row per person.
        json: Print the results as JSON; everything else goes to standard error.
    """
    # The runtime takes half a second to import, and --help needs none of it.
    from checking.command import run_check
    from checking.sampling import Sampling
    from cli.check_screen import RichScreen

    sampling = Sampling(every, max_frames)
    with RichScreen(to_stderr=json) as screen:
        status = run_check(paths, detector, calibration, out, sampling, csv, json, screen)
    sys.exit(status)
