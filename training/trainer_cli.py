import hashlib
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import yaml
from lightning import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger

from callbacks.best_checkpoint import BestCheckpoint
from callbacks.end_ranks import EndRanks
from callbacks.finite_loss import FiniteLossGuard
from callbacks.gradient_monitor import GradientMonitor
from callbacks.last_checkpoint import LastCheckpoint
from callbacks.provenance import Provenance, git_state
from callbacks.score_writer import ScoreWriter
from callbacks.step_seed import StepSeed
from callbacks.weight_average import WeightAverage
from datamodules.face_forensics import FaceForensicsDataModule
from errors import InputError
from evaluation.metrics.aggregation import find_aggregation
from lightning_modules.detector import Detector

# Importing them lets a config name a class by its short name.
from lightning_modules.distill import DistillModule  # noqa: F401
from lightning_modules.networks.backbone import without_pretrained_weights
from lightning_modules.teacher import TeacherModule  # noqa: F401
from records.checkpoints import require_whole
from records.folder import RunFolder
from records.protocol import Protocol, create_protocol
from records.results import ModelInfo, RunInfo
from training.checkpoint_io import WholeCheckpoints
from training.memory import keep_freed_memory
from training.resume import (
    check_tested_checkpoint,
    checkpoint_to_resume,
    identity_of,
    refuse_another_run,
)
from training.run_logger import RunLogger
from training.run_spec import RunSpec, default_folder
from training.sync_batch_norm import SyncBatchNorm
from training.test_results import write_run_results
from training.trainer_limits import (
    put_whole_numbers_first,
    refuse_what_cannot_work,
    told_in_one_line,
)
from training.wandb_run import WandbRun

BEST = "best.ckpt"


class _SaveRunConfig(SaveConfigCallback):
    """Saves the complete configuration into the run's folder, once a run."""

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write config.yaml where a fit begins; testing a run leaves its config as it was."""
        folder = Path(self.config["run"]["dir"])
        if stage == "fit":
            folder.mkdir(parents=True, exist_ok=True)
            text = self.parser.dump(self.config, skip_none=False)
            (folder / "config.yaml").write_text(text)


class TrainingCLI(LightningCLI):
    """fit, validate, test and predict, each within a run's folder."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the run's folder, and give the model the data's image size."""
        parser.add_class_arguments(RunSpec, "run")
        parser.link_arguments("data.image_size", "model.init_args.image_size")
        parser.link_arguments("seed_everything", "data.seed")
        # The samplers shard by themselves: Lightning's would pad, and count some frames twice.
        parser.set_defaults({"trainer.use_distributed_sampler": False})

    def _parse_ckpt_path(self) -> None:
        """Take up the checkpoint's model, and say which settings of it are not the given ones."""
        self.subcommand = self.config["subcommand"]
        path = self._get(self.config, "ckpt_path")
        if not path:
            return
        model = self._plain_config()["model"]
        if self.subcommand != "fit":
            check_tested_checkpoint(Path(path), model)
        else:
            require_whole(Path(path))
        super()._parse_ckpt_path()
        given = dict(_leaves(model, "model"))
        for name, value in _leaves(self._plain_config()["model"], "model"):
            if name in given and given[name] != value:
                print(
                    f"warning: {name} is {value}, as in --ckpt_path {path}, not {given[name]} as "
                    "given",
                    file=sys.stderr,
                )

    def before_instantiate_classes(self) -> None:
        """Set the run's folder and find the checkpoint that the run resumes from."""
        run = self._get(self.config, "run")
        if run["dir"] is None:  # before anything is saved, so that config.yaml names the folder
            seed = self._get(self.config, "seed_everything")
            run["dir"] = str(default_folder(run["method"], seed))
        find_aggregation(run["aggregation"])
        if self.subcommand != "fit":
            return
        path = checkpoint_to_resume(RunFolder(Path(run["dir"])), run["resume"])
        if path is not None:
            refuse_another_run(path, identity_of(self._plain_config()))
            print(f"resuming from {path}")
            self.config["fit"]["ckpt_path"] = str(path)

    def instantiate_classes(self) -> None:
        """Build everything; what a checkpoint is loaded into asks no hub for weights."""
        resumed = self._get(self.config, "ckpt_path") is not None
        with without_pretrained_weights() if resumed else nullcontext():
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add the run's logger and callbacks to those of the configuration."""
        config = self._get(self.config_init, "trainer")
        refuse_what_cannot_work(config)
        run = self._get(self.config, "run")
        folder = Path(run["dir"])
        seed = self._get(self.config, "seed_everything")
        checkpoints = folder / "checkpoints"
        if config["logger"] in (None, True):
            # Only a fit has curves: a test would begin the file anew, without a row.
            resumed = self._get(self.config, "ckpt_path") is not None
            is_fit = self.subcommand == "fit"
            kwargs["logger"] = [RunLogger(folder, resumed=resumed)] if is_fit else []
            if run["tensorboard"] and is_fit:
                kwargs["logger"].append(_tensorboard(folder))
            if run["wandb"] != "off":
                kwargs["logger"].append(WandbRun(folder, run, self._plain_config()))
        config["callbacks"] = [
            *(config["callbacks"] or []),
            BestCheckpoint(checkpoints),
            FiniteLossGuard(run["explosion"]),
            WeightAverage(),
            LastCheckpoint(RunFolder(folder).last, run["save_every"]),
            StepSeed(seed),
            EndRanks(),
            GradientMonitor(),
            ScoreWriter(folder),
            Provenance(folder, seed, self._identity()),
        ]
        kwargs.setdefault("default_root_dir", str(folder))
        kwargs["plugins"] = self._plugins(config)
        return super().instantiate_trainer(**kwargs)

    def _plugins(self, config: Any) -> list[Any]:
        given = config["plugins"] or []
        plugins = [WholeCheckpoints(), *(given if isinstance(given, list) else [given])]
        if config["sync_batchnorm"]:
            config["sync_batchnorm"] = False
            plugins.append(SyncBatchNorm())
        return plugins

    def after_fit(self) -> None:
        """Test the best checkpoint, where asked to."""
        run = self._get(self.config, "run")
        if run["test"]:
            checkpoint = Path(run["dir"]) / "checkpoints" / BEST
            self.trainer.test(
                self.model,
                datamodule=self.datamodule,
                ckpt_path=checkpoint,
                weights_only=True,
                verbose=False,
            )
            self._write_results(checkpoint)
        self._finish_loggers()

    def after_test(self) -> None:
        """Write results.json beside the scores."""
        self._write_results(Path(str(self.trainer.ckpt_path)))
        self._finish_loggers()

    def _finish_loggers(self) -> None:
        for logger in self.trainer.loggers:
            if isinstance(logger, WandbRun):
                logger.finish()

    def _write_results(self, checkpoint: Path) -> None:
        if not self.trainer.is_global_zero or not isinstance(self.model, Detector):
            return
        run = self._get(self.config, "run")
        folder = Path(run["dir"])
        seed = self._get(self.config, "seed_everything")
        write_run_results(
            folder,
            RunInfo(
                name=f"{run['method']}-seed{seed}",
                method=run["method"],
                seed=seed,
                test_passes=0,
                config_hash=self._config_hash(),
                git_commit=git_state()["git_commit"],
                checkpoint=checkpoint.name,
            ),
            ModelInfo(**self.model.cost()),
            self._protocol(checkpoint),
            self.model.heads[1:],
        )
        for logger in self.trainer.loggers:
            if isinstance(logger, WandbRun):
                logger.log_results()

    def _protocol(self, checkpoint: Path) -> Protocol:
        data: FaceForensicsDataModule = self.datamodule
        data.setup("test")  # forked ranks have set up copies of it
        validated = data.store.manifest.iloc[data.rows["val"]]
        dataset = "+".join(map(str, validated["dataset"].unique()))
        selected = checkpoint.name == BEST and checkpoint.parent.name == "checkpoints"
        settings = data.store.settings
        return create_protocol(
            dataset=dataset,
            compression="+".join(data.compressions),
            methods=data.forgeries,
            frames_per_video=settings.frames_per_video,
            crop_scale=settings.scale,
            crop_size=settings.size,
            aggregation=self._get(self.config, "run")["aggregation"],
            selected_on=f"{dataset}/val video_auc" if selected else f"given: {checkpoint.name}",
        )

    def _identity(self) -> dict[str, Any]:
        return identity_of(self._plain_config()) if self.subcommand == "fit" else {}

    def _plain_config(self) -> Any:
        subcommand = self.config["subcommand"]
        parser = self._parser(subcommand)
        config = self.config.get(subcommand)
        return yaml.safe_load(parser.dump(config, skip_none=False))

    def _config_hash(self) -> str:
        """Hash of everything that decides the result, so not of where it is written."""
        plain = self._plain_config()
        relevant = {key: plain[key] for key in ("model", "data", "seed_everything")}
        relevant["epochs"] = plain["trainer"]["max_epochs"]
        return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:16]


def _tensorboard(folder: Path) -> TensorBoardLogger:
    try:
        return TensorBoardLogger(folder, name="tensorboard", version="")
    except ModuleNotFoundError as error:
        msg = "run.tensorboard needs TensorBoard: pip install 'two-in-one[tensorboard]'"
        raise InputError(msg) from error


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}")
    else:
        yield name, value


def run_trainer_command(words: list[str]) -> None:
    """Run fit, validate, test or predict.

    Raises:
        InputError: The configuration names something that is not there.
        ArgumentError: The configuration does not parse.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It says which rank has died, before it ends the others.
    logging.getLogger("lightning.fabric.strategies.launchers").setLevel(logging.INFO)
    # lightning 2.6 asks torch 2.14 for a class that torch has since renamed.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    # The frozen teacher is meant to be in evaluation mode.
    warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
    # The number of loader workers is a setting of ours, chosen by measurement.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # The data module goes on within an epoch by itself.
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    # A resumed or repeated run writes into the folder that it began in.
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*Experiment logs directory .* exists.*")
    # An epoch of the miniature has fewer steps than the logging interval.
    warnings.filterwarnings("ignore", message=".*The number of training batches.*")
    # A sweep parses its commands in one process, as words of its own.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter is intended.*")
    strict = {"exit_on_error": False}
    with told_in_one_line():
        _run(words, strict)


def _run(words: list[str], strict: dict[str, bool]) -> None:
    put_whole_numbers_first()
    keep_freed_memory()
    TrainingCLI(
        model_class=Detector,
        datamodule_class=FaceForensicsDataModule,
        subclass_mode_model=True,
        seed_everything_default=0,
        save_config_callback=_SaveRunConfig,
        save_config_kwargs={"save_to_log_dir": False},
        auto_configure_optimizers=False,
        parser_kwargs={
            "prog": "two-in-one",
            "parser_mode": "omegaconf",
            **strict,
            **{
                name: {"parser_mode": "omegaconf", **strict}
                for name in ("fit", "validate", "test", "predict")
            },
        },
        args=None if words == sys.argv[1:] else words,
    )
