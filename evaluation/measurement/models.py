"""The models of finished runs: each run with its detector, loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import InputError
from evaluation.comparison.ladder import ladder_order
from evaluation.comparison.run import Run, find_runs, read_run
from lightning_modules.checkpoints import load_detector
from lightning_modules.detector import Detector

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Model:
    """A run and its detector, ready to score."""

    run: Run
    checkpoint: Path
    detector: Detector


def load_models(paths: Sequence[Path]) -> list[Model]:
    """Load the models of runs, of folders of runs, or of checkpoints within a run's folder.

    They come in the ladder's order.

    Raises:
        InputError: No run, an unfinished one, one named twice, or a checkpoint that is not there,
            damaged or of another model.
    """
    places: dict[str, tuple[Run, Path]] = {}
    for run, checkpoint in (place for path in paths for place in _places(path)):
        if run.name in places:
            msg = (
                f"{run.folder}: {run.name} is also in {places[run.name][0].folder}; expected each "
                "run once: leave one out"
            )
            raise InputError(msg)
        places[run.name] = run, checkpoint
    runs = ladder_order([run for run, _ in places.values()])
    return [load_model(*places[run.name]) for run in runs]


def checkpoint_of(run: Run) -> Path:
    """The checkpoint that a run was tested with."""
    return run.folder / CHECKPOINTS / Path(str(run.results.run.checkpoint)).name


def _places(path: Path) -> list[tuple[Run, Path]]:
    if path.suffix != ".ckpt":
        return [(run, checkpoint_of(run)) for run in find_runs(path)]
    folder = path.parent.parent
    if path.parent.name != CHECKPOINTS or not (folder / "results.json").is_file():
        msg = (
            f"{path}: not in the {CHECKPOINTS} folder of a tested run, whose results say what the "
            "model is: name the run's folder"
        )
        raise InputError(msg)
    return [(read_run(folder), path)]


def load_model(run: Run, checkpoint: Path) -> Model:
    """Load the detector of a run.

    Raises:
        InputError: The checkpoint is not there, damaged or of another model.
    """
    detector = load_detector(checkpoint)
    params = detector.cost()["params"]
    if run.params is not None and params != run.params:
        msg = (
            f"{checkpoint}: a model of {params} parameters, but {run.name} was tested with "
            f"{run.params}: put the run's own checkpoint back, or test it again"
        )
        raise InputError(msg)
    return Model(run, checkpoint, detector)
