import sys
from contextlib import nullcontext
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from lightning import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from datamodules.face_forensics import FaceForensicsDataModule
from errors import InputError
from lightning_modules.detector import Detector

# Importing them lets a configuration name a class by its short name.
from lightning_modules.distill import DistillModule  # noqa: F401
from lightning_modules.networks.timm_models import without_pretrained_weights
from lightning_modules.teacher import TeacherModule  # noqa: F401
from records.folder import RunFolder
from training.library_errors import as_input_errors
from training.plugins import build_plugins
from training.process import prepare_process
from training.resume import (
    check_given_checkpoint,
    checkpoint_to_resume,
    is_finished,
    refuse_another_run,
)
from training.run_config import SaveRunConfig, read_configs
from training.run_spec import RunSpec, default_folder
from training.test_results import record_test
from training.trainer_limits import put_whole_numbers_first, refuse_folder, refuse_what_cannot_work
from training.trainer_parts import build_callbacks, build_loggers
from training.wandb_run import WandbRun

PARSER: dict[str, Any] = {"parser_mode": "omegaconf", "exit_on_error": False}


class TrainingCLI(LightningCLI):
    """fit, validate or test, within a run's folder."""

    def __init__(self, command: str, **settings: Any) -> None:
        self.command = command
        super().__init__(**settings)

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # not static
        """Return the command alone: each further one would have a parser of its own built."""
        return {self.command: LightningCLI.subcommands()[self.command]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options of the run, and link the image size and the seed of model and data."""
        parser.add_class_arguments(RunSpec, "run")
        parser.link_arguments("data.image_size", "model.init_args.image_size")
        parser.link_arguments("seed_everything", "data.seed")
        # The samplers shard by themselves: Lightning's would pad, and count some frames twice.
        parser.set_defaults({"trainer.use_distributed_sampler": False})
        # With a few pairs per device, batch norm would see other people than on one device.
        parser.set_defaults({"trainer.sync_batchnorm": True})

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the command line and refuse settings that cannot work."""
        super().parse_arguments(parser, args)
        self.subcommand: str = self.config["subcommand"]
        self.run_spec = self._get(self.config, "run")
        config = self.plain_config()
        refuse_what_cannot_work(config, fits=self.subcommand == "fit")
        if self.run_spec["dir"] is None:  # now, so that the saved config.yaml names the folder
            method, seed = self.run_spec["method"], config["seed_everything"]
            self.run_spec["dir"] = str(default_folder(method, seed))
        self.folder = RunFolder(Path(self.run_spec["dir"]))
        refuse_folder(self.folder.path)

    def plain_config(self) -> dict[str, Any]:
        """Return the configuration as it is saved, of built-in types."""
        parser, config = self._parser(self.subcommand), self.config.get(self.subcommand)
        return dict(yaml.safe_load(parser.dump(config, skip_none=False)))

    def _parse_ckpt_path(self) -> None:
        """Use the checkpoint's model, and warn of settings that it overrides."""
        path, fits = self._get(self.config, "ckpt_path"), self.subcommand == "fit"
        if path is None:
            if fits:
                return
            msg = f"{self.subcommand} needs a checkpoint: pass --ckpt_path {self.folder.best}"
            raise InputError(msg)
        given = self.plain_config()["model"]
        check_given_checkpoint(Path(path), given, same=not fits)
        super()._parse_ckpt_path()
        self.run_spec = self._get(self.config, "run")
        for name, value in self.plain_config()["model"]["init_args"].items():
            if value != (before := given["init_args"].get(name)):
                line = f"warning: model.init_args.{name} is {value}, as in {path}, not {before}"
                print(line, file=sys.stderr)

    def before_instantiate_classes(self) -> None:
        """Find the checkpoint that the run resumes from; a finished run ends here."""
        if self.subcommand != "fit":
            return
        config = self.plain_config()
        if is_finished(self.folder, config):
            print(f"finished: {self.folder.path}, results in {self.folder.results}")
            sys.exit(0)
        if config["ckpt_path"] is not None:
            return
        path = checkpoint_to_resume(self.folder, self.run_spec["resume"])
        if path is not None:
            refuse_another_run(path, config)
            print(f"resuming from {path}")
            self.config["fit"]["ckpt_path"] = str(path)

    def instantiate_classes(self) -> None:
        """Build everything; a model that a checkpoint is loaded into fetches no weights."""
        resumed = self._get(self.config, "ckpt_path") is not None
        with without_pretrained_weights() if resumed else nullcontext():
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the Trainer with the run's callbacks, loggers and plugins."""
        trainer, config = self._get(self.config_init, "trainer"), self.plain_config()
        fits = self.subcommand == "fit"
        if trainer["logger"] in (None, True):
            resumed = config["ckpt_path"] is not None
            kwargs["logger"] = build_loggers(self.folder, config, fits=fits, resumed=resumed)
        callbacks = build_callbacks(self.folder, config, fits=fits)
        trainer["callbacks"] = [*(trainer["callbacks"] or []), *callbacks]
        kwargs.setdefault("default_root_dir", str(self.folder.path))
        kwargs["plugins"] = build_plugins(trainer)
        return super().instantiate_trainer(**kwargs)

    def after_fit(self) -> None:
        """Test the best checkpoint, with run.test."""
        best = self.folder.best if self.run_spec["test"] else None
        if best is not None:
            if not best.is_file():
                msg = (
                    f"{best}: no such file, since training ended before its first validation: "
                    f"test {self.folder.last} with two-in-one test --ckpt_path"
                )
                raise InputError(msg)
            data = self.datamodule
            self.trainer.test(
                self.model, datamodule=data, ckpt_path=best, weights_only=True, verbose=False
            )
        self._record(best)

    def after_test(self) -> None:
        """Write results.json."""
        self._record(Path(str(self.trainer.ckpt_path)))

    def _record(self, tested: Path | None) -> None:
        if tested is not None and self.trainer.is_global_zero:
            record_test(self.folder, self.plain_config(), tested, self.model, self.datamodule)
        for logger in self.trainer.loggers:
            if isinstance(logger, WandbRun):
                logger.finish(with_results=tested is not None)


def with_slices(argv: list[str]) -> list[str]:
    """Write `--slices a b` as `--data.slices=[a, b]`."""
    if "--slices" not in argv:
        return argv
    start = argv.index("--slices")
    following = argv[start + 1 :]
    names = list(takewhile(lambda word: not word.startswith("-"), following))
    if not names:
        msg = "--slices names no column: give one or more of the manifest, e.g. skin_tone"
        raise InputError(msg)
    return [*argv[:start], f"--data.slices=[{', '.join(names)}]", *following[len(names) :]]


def run_trainer_command(argv: list[str]) -> None:
    """Run the command argv[0], fit, validate or test, with the options that follow.

    Raises:
        InputError: A configuration file, a setting or a checkpoint cannot be used.
        ArgumentError: The command line does not parse.
    """
    argv = with_slices(argv)
    prepare_process()
    put_whole_numbers_first()
    read_configs(argv)  # for errors of one line
    with as_input_errors("continue with --run.resume auto"):
        TrainingCLI(
            argv[0],
            model_class=Detector,
            datamodule_class=FaceForensicsDataModule,
            subclass_mode_model=True,
            seed_everything_default=0,
            save_config_callback=SaveRunConfig,
            save_config_kwargs={"save_to_log_dir": False},
            auto_configure_optimizers=False,
            parser_kwargs=PARSER | {"prog": "two-in-one", argv[0]: dict(PARSER)},
            args=None if argv == sys.argv[1:] else argv,
        )
