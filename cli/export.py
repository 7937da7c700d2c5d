from pathlib import Path

from rich.console import Console

from errors import InputError
from evaluation.measurement.models import load_models
from export.package import write_package
from export.verification import check_int8
from inference.answers import Answers, check_answers
from inference.detector import Detector
from records.measurements import read_measurements


def export(
    folders: list[Path],
    out: Path = Path("detector"),
    crops: Path | None = None,
    report: Path | None = None,
    licence: str | None = None,
    verify: bool = False,
) -> None:
    """Export a run as a package that scores videos without this project, or verify a package.

    A file is written only if the package passes its gates: logits and faces equal torch's on known
    answers, and the network in 8 bits has the same video AUC on the validation split.

    Args:
        folders: Folder of one tested run; with --verify, one or more packages.
        out: Folder of the package: new, empty, or an earlier package, which is replaced.
        crops: Crop store with the training and validation split; default: the run's. With --verify
            it is needed to compare the network in 8 bits again.
        report: Folder with the run's profile and robustness; default: `report` next to the run.
        licence: Licence of the training data, for the card; default: that of a known data set.
        verify: Repeat the gates of packages on this machine, and write nothing.

    Raises:
        InputError: The run or the package is missing or damaged, or an answer is wrong.
    """
    console = Console(markup=False, highlight=False)
    for folder in folders if verify else ():
        detector = Detector.open(folder)
        console.print(str(check_answers(detector, Answers.open(folder))), soft_wrap=True)
        if not detector.card.int8.written:
            console.print(f"8 bits: {detector.card.int8.reason}", soft_wrap=True)
        elif crops is None:
            console.print("8 bits: not compared, which needs the validation crops: pass --crops")
        else:
            console.print(f"8 bits: {check_int8(folder, detector.card, crops)}", soft_wrap=True)
        console.print(f"{folder}: verified on this machine", soft_wrap=True)
    if verify:
        return
    models = load_models(folders)
    if len(models) > 1:
        msg = f"{len(models)} runs given, expected one to export: name its folder"
        raise InputError(msg)
    measured = read_measurements(report or models[0].run.folder.parent / "report")
    card, agreement = write_package(models[0], crops, out, licence, measured, console.print)
    console.print(str(agreement), soft_wrap=True)
    console.print(f"8 bits: {card.int8.reason}", soft_wrap=True)
    console.print(str(out), soft_wrap=True)
