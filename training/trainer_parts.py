from typing import Any

from lightning import Callback
from lightning.pytorch.loggers import Logger, TensorBoardLogger

from callbacks.best_checkpoint import BestCheckpoint
from callbacks.end_ranks import EndRanks
from callbacks.finite_loss import FiniteLossGuard
from callbacks.gradient_monitor import GradientMonitor
from callbacks.last_checkpoint import LastCheckpoint
from callbacks.provenance import Provenance
from callbacks.score_writer import ScoreWriter
from callbacks.step_seed import StepSeed
from callbacks.weight_average import WeightAverage
from errors import InputError
from records.folder import RunFolder
from training.run_config import identity_of
from training.run_logger import RunLogger
from training.wandb_run import WandbRun


def build_callbacks(folder: RunFolder, config: dict[str, Any], *, fits: bool) -> list[Callback]:
    """Build the callbacks of a run in the order in which Lightning calls them."""
    run, seed = config["run"], config["seed_everything"]
    return [
        BestCheckpoint(folder.checkpoints),
        FiniteLossGuard(run["explosion"]),
        WeightAverage(),
        LastCheckpoint(folder.last, run["save_every"]),
        StepSeed(seed),
        EndRanks(),
        GradientMonitor(),
        ScoreWriter(folder.path),
        Provenance(folder.path, seed, identity_of(config) if fits else {}),
    ]


def build_loggers(
    folder: RunFolder, config: dict[str, Any], *, fits: bool, resumed: bool
) -> list[Logger]:
    """Build the loggers of a run: metrics.csv, and TensorBoard and W&B on request.

    Only a run that `fits` has curves; metrics.csv is continued if it is `resumed`.

    Raises:
        InputError: TensorBoard is not installed, or see `WandbRun`.
    """
    run = config["run"]
    loggers: list[Logger] = [RunLogger(folder, resumed=resumed)] if fits else []
    if fits and run["tensorboard"]:
        try:
            loggers.append(TensorBoardLogger(folder.path, name="tensorboard", version=""))
        except ModuleNotFoundError as error:
            msg = "run.tensorboard needs TensorBoard: pip install 'two-in-one[tensorboard]'"
            raise InputError(msg) from error
    if run["wandb"] != "off":
        loggers.append(WandbRun(folder.path, config))
    return loggers
