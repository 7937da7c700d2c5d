"""The folder of a report, and the runs that the report is about."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from datamodules.crops.store import CropStore
from errors import InputError
from evaluation.comparison.protocols import check_comparable, check_measured_alike
from evaluation.comparison.reproduction import (
    MINIATURE_PREFIX,
    Reproduction,
    find_reproduction,
    write_reproduction,
)
from evaluation.comparison.run import find_runs
from evaluation.comparison.transfer import transfer_table
from records.data_info import DataInfo
from records.measurements import FILES


def report_folder(runs: Sequence[Path], out: Path | None) -> Path:
    """Create the folder of the report of runs, which holds their measurements too.

    Args:
        runs: The folder of a reproduction, run folders, or folders of run folders.
        out: The folder; default: the reproduction's own, or `report` next to the first run.

    Raises:
        InputError: The folder is a file, is not writable, or holds files of something else.
    """
    if out is None and len(runs) == 1 and find_reproduction(runs[0]):
        return _writable(runs[0])
    run = runs[0].parent.parent if runs[0].suffix == ".ckpt" else runs[0]
    folder = out or run.parent / "report"
    others = {path.name for path in folder.iterdir()} - set(FILES) if folder.is_dir() else set()
    if others and not find_reproduction(folder):
        msg = (
            f"{folder}: holds {min(others)}, expected a new folder or a report: choose another "
            "folder with --out"
        )
        raise InputError(msg)
    return _writable(folder)


def _writable(folder: Path) -> Path:
    """Create the folder if necessary, and check that files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        msg = (
            f"{folder}: cannot be written ({error.strerror}), expected a folder: choose another "
            "folder with --out"
        )
        raise InputError(msg) from error


def gather_reproduction(
    runs: Sequence[Path], out: Path | None, *, any_protocol: bool
) -> Reproduction:
    """Read the reproduction to report; write one first if runs or another folder are named.

    The ladder and the claims are about the first run's data set and compression. Runs trained on
    others are in the table across data sets. See `report_folder` and `check_comparable` for the
    arguments and errors.
    """
    reproduction = find_reproduction(runs[0]) if len(runs) == 1 else None
    if reproduction and (out is None or out.resolve() == runs[0].resolve()):
        _writable(runs[0])
        return reproduction
    if reproduction:
        own, elsewhere, data = reproduction.runs, reproduction.elsewhere, reproduction.data
    else:
        found = [run for path in runs for run in find_runs(path)]
        first = found[0].protocol
        own = [run for run in found if run.protocol.test == first.test]
        elsewhere = [run for run in found if run.protocol.test != first.test]
        miniature = first.dataset.startswith(MINIATURE_PREFIX)
        data = DataInfo(name=first.dataset, miniature=miniature, compression=first.compression)
    shown = [*own, *elsewhere]  # checked before the folder is created
    for test in dict.fromkeys(run.protocol.test for run in shown):
        group = [run for run in shown if run.protocol.test == test]
        check_comparable(group, any_protocol=any_protocol)
    check_measured_alike(shown, any_protocol=any_protocol)
    transfer_table(shown)
    folder = report_folder(runs, out)
    if data.crop_store:  # relative to the folder
        store = (runs[0] / data.crop_store).resolve()
        data = replace(data, crop_store=os.path.relpath(store, folder.resolve()))
    return write_reproduction(folder, own, data, elsewhere, any_protocol=any_protocol)


def find_crops(reproduction: Reproduction, crops: Path | None) -> CropStore | None:
    """Open a crop store: the given one, else the reproduction's if it still exists."""
    named = reproduction.data.crop_store
    if crops is None and named and (reproduction.folder / named).is_dir():
        crops = reproduction.folder / named
    return CropStore(crops) if crops else None
