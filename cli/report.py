from pathlib import Path

from rich.console import Console

from evaluation.report.folder import find_crops, gather_reproduction
from evaluation.report.report import write_report
from evaluation.report.terminal import print_reproduction


def report(
    runs: list[Path],
    out: Path | None = None,
    crops: Path | None = None,
    any_protocol: bool = False,
) -> None:
    """Write the report of a reproduction, or of any set of runs, and print its table.

    Args:
        runs: Folder of a reproduction, run folders, or folders of run folders.
        out: Folder of the report. Default: a reproduction's own folder, or `report` next to the
            first run.
        crops: Crop store for sample crops, spectra and Grad-CAM; default: the one that the
            reproduction names.
        any_protocol: Accept runs of different protocols in one table; the report lists the
            differences.

    Raises:
        InputError: A folder without results, damaged results, or runs that are not comparable.
    """
    reproduction = gather_reproduction(runs, out, any_protocol=any_protocol)
    paths = write_report(reproduction, find_crops(reproduction, crops))
    print_reproduction(reproduction, paths, Console(markup=False))
