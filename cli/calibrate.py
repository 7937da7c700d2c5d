from pathlib import Path


def calibrate(
    real: Path,
    detector: Path = Path("detector"),
    out: Path | None = None,
    level: float = 0.05,
    every: float = 0.5,
    max_frames: int = 60,
) -> None:
    """Score real videos of your own, so that `check` can compare new videos with them.

    No forgeries are needed. A false-alarm rate of 5 % needs 72 videos, one of 1 % needs 368. The
    same command resumes after an interruption.

    Args:
        real: Folder of real videos like those to be checked, one per person or occasion.
        detector: A package of two-in-one export.
        out: The calibration's file. Default: calibration.json in the package.
        level: The false-alarm rate that the calibration must be able to reach.
        every: Seconds between sampled frames, as for check.
        max_frames: The most frames per video, as for check.
    """
    # The runtime takes half a second to import, and --help needs none of it.
    from checking.command import run_calibrate
    from checking.sampling import Sampling
    from cli.check_screen import RichScreen

    with RichScreen() as screen:
        run_calibrate(real, detector, out, level, Sampling(every, max_frames), screen)
