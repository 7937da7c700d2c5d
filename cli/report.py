from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from evaluation.comparison.reproduction import Reproduction
    from evaluation.report.contact_sheet import CropSource
    from evaluation.report.report import ReportPaths


def report(
    runs: list[Path],
    out: Path | None = None,
    crops: Path | None = None,
    any_protocol: bool = False,
) -> None:
    """Write the report of a reproduction, or of any set of runs, and print its table.

    Args:
        runs: Folder of a reproduction, or run folders, or folders of run folders.
        out: Folder the report is written to. A reproduction's is written into its own folder, that
            of a set of runs by default into `report` beside the first run.
        crops: Crop store for the sample crops; by default the one that the reproduction names.
        any_protocol: Take runs of different protocols into one table; the differences are told.

    Raises:
        InputError: A folder without results, one cut short, or runs that are not comparable.
    """
    from evaluation.report.report import write_report

    reproduction = _gather(runs, out, any_protocol=any_protocol)
    print_ladder(reproduction, write_report(reproduction, _crop_store(reproduction, crops)))


def report_folder(runs: list[Path], out: Path | None) -> Path:
    """Folder of the report of these runs, and of what is measured for it.

    Args:
        runs: Folder of a reproduction, or run folders, or folders of run folders.
        out: The folder, where one was chosen.

    Raises:
        InputError: No run was given, or the folder holds something else.
    """
    from evaluation.comparison.reproduction import is_reproduction
    from records.measurements import FILES

    if not runs:
        msg = "runs: none given, expected the folder of a reproduction or of runs: name one"
        raise InputError(msg)
    if out is None and len(runs) == 1 and is_reproduction(runs[0]):
        return runs[0]
    run = runs[0].parent.parent if runs[0].suffix == ".ckpt" else runs[0]
    folder = out or run.parent / "report"
    if folder.is_file() or (
        folder.is_dir()
        and any(path.name not in FILES for path in folder.iterdir())
        and not is_reproduction(folder)
    ):
        msg = (
            f"{folder}: holds something else, expected a new folder or a report: give another --out"
        )
        raise InputError(msg)
    return folder


def print_ladder(
    reproduction: "Reproduction",
    paths: "ReportPaths | None" = None,
    console: "Console | None" = None,
) -> None:
    """Print the ladder's table, the verdicts, and where the report lies.

    Args:
        reproduction: Of `evaluation.comparison.reproduction.read_reproduction`.
        paths: Files of the report, printed at the end.
        console: Where to print; standard output by default.
    """
    from rich.console import Console

    from evaluation.report.ladder_table import ladder_tables

    console = console or Console()
    for table in ladder_tables(reproduction.ladder):
        console.print(table)
    if reproduction.miniature:
        console.print(f"{reproduction.dataset} is a miniature: not FaceForensics++ figures")
    for line in reproduction.protocol_differences:
        console.print(f"[bold]protocols differ[/bold] in {line}")
    for claim in reproduction.claims:
        console.print(f"{claim.id} [bold]{claim.verdict}[/bold]: {claim.claim}")
    if paths:
        for path in (paths.html, paths.markdown):
            console.print(str(path), soft_wrap=True, highlight=False)


def _gather(runs: list[Path], out: Path | None, *, any_protocol: bool) -> "Reproduction":
    """Read the reproduction to report; of a set of runs, make it first."""
    from evaluation.comparison.reproduction import (
        MINIATURE_PREFIX,
        is_reproduction,
        read_reproduction,
        write_reproduction,
    )
    from evaluation.comparison.run import find_runs
    from records.data_info import DataInfo

    folder = report_folder(runs, out)
    if len(runs) == 1 and is_reproduction(runs[0]):
        reproduction = read_reproduction(runs[0])
        if folder.resolve() == runs[0].resolve():
            return reproduction
        found, data = reproduction.runs, reproduction.data
    else:
        found = [run for path in runs for run in find_runs(path)]
        protocol = found[0].protocol
        data = DataInfo(
            name=protocol.dataset,
            miniature=protocol.dataset.startswith(MINIATURE_PREFIX),
            compression=protocol.compression,
        )
    return write_reproduction(folder, found, data, any_protocol=any_protocol)


def _crop_store(reproduction: "Reproduction", crops: Path | None) -> "CropSource | None":
    """The crop store that was named, else the one of the reproduction where it is still there."""
    named = reproduction.data.crop_store
    folder = crops or (reproduction.folder / str(named) if named else None)
    if folder is None or (crops is None and not folder.is_dir()):
        return None
    from datamodules.crops.store import CropStore

    return CropStore(folder)
