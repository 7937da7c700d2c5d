from pathlib import Path

from rich.console import Console

from errors import InputError
from evaluation.measurement.models import load_models
from export.package import write_package
from inference.answers import Agreement, Answers, check_answers
from inference.card import Card
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
        crops: Crop store with the training and validation split; default: the run's.
        report: Folder with the run's profile and robustness; default: `report` next to the run.
        licence: Licence of the training data, for the card; default: that of a known data set.
        verify: Compute the known answers of a package on this machine, and write nothing.

    Raises:
        InputError: The run or the package is missing or damaged, or an answer is wrong.
    """
    console = Console(highlight=False)
    for folder in folders if verify else ():
        detector = Detector.open(folder)
        _print(console, detector.card, check_answers(detector, Answers.open(folder)))
        console.print(f"{folder}: verified on this machine", soft_wrap=True)
    if verify:
        return
    models = load_models(folders)
    if len(models) > 1:
        msg = f"{len(models)} runs given, expected one to export: name its folder"
        raise InputError(msg)
    measured = read_measurements(report or models[0].run.folder.parent / "report")
    card, agreement = write_package(models[0], crops, out, licence, measured, console.print)
    _print(console, card, agreement)
    console.print(str(out), soft_wrap=True)


def _print(console: Console, card: Card, agreement: Agreement) -> None:
    console.print(
        f"known answers: logits within {agreement.logit:.1e}, the clip's score within "
        f"{agreement.score:.1e}, boxes overlap by {agreement.overlap:.4f} or more"
    )
    console.print(f"8 bits: {card.int8.reason}", soft_wrap=True)
