from argparse import Namespace
from pathlib import Path, PureWindowsPath
from typing import Any

import pandas as pd
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from msgspec import to_builtins

from callbacks.provenance import git_state
from datamodules.crops.store import CropStore
from errors import InputError
from evaluation.comparison.run import read_run
from evaluation.report.quality_plots import roc_curves, score_histograms
from evaluation.report.training_plots import training_curves


class WandbRun(WandbLogger):
    """A run of Weights & Biases, with nothing of this machine in what it keeps.

    Args:
        folder: The run's folder.
        run: Of the configuration.
        config: The whole configuration.

    Raises:
        InputError: A checkpoint is to be kept by a run that is offline.
    """

    def __init__(self, folder: Path, run: Any, config: dict[str, Any]) -> None:
        import wandb

        if run["wandb_checkpoint"] and run["wandb"] == "offline":
            msg = (
                "run.wandb_checkpoint with run.wandb offline: an artifact is sent at once: use "
                "online, or leave one of them out"
            )
            raise InputError(msg)
        self.folder = folder
        provenance = git_state() | {
            "data_manifest_sha256": CropStore(Path(config["data"]["crops"])).manifest_hash
        }
        kept = {name: part for name, part in config.items() if name != "run"}
        super().__init__(
            name=f"{run['method']}-seed{config['seed_everything']}",
            save_dir=folder,
            log_model=run["wandb_checkpoint"],
            project=run["project"],
            group=run["group"],
            tags=[run["method"], *run["tags"]],
            config=without_places(kept | provenance),
            # wandb's own files would name the user, the host and the home folder.
            # The mode is here because Lightning's `offline` would hold for all later runs too.
            settings=wandb.Settings(
                mode=run["wandb"], silent=True, x_disable_meta=True, disable_git=True
            ),
        )
        # An argument that wandb 0.31 warns of, whatever its value.
        self._wandb_init.pop("anonymous", None)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Log what a module was made of."""
        super().log_hyperparams(
            without_places(params if isinstance(params, dict) else vars(params))
        )

    @rank_zero_only
    def log_results(self) -> None:
        """Log what a test has left in the run's folder: a table of its figures, and pictures."""
        import wandb

        run = read_run(self.folder)
        rows = [
            {"test": test, "level": level, **to_builtins(getattr(metrics.overall, level))}
            for test, metrics in run.metrics().items()
            for level in ("frame", "video")
        ]
        table = pd.DataFrame(rows).map(lambda x: None if isinstance(x, dict | list) else x)
        pictures = [*training_curves([run]), roc_curves([run]), score_histograms([run])]
        # wandb's own Table is an artifact, whose record would name the home folder.
        html = table.to_html(index=False, na_rep="", float_format="{:.4f}".format)
        self.experiment.log(
            {"report/figures": wandb.Html(html)}
            | {f"report/{p.title}": wandb.Html(p.svg) for p in pictures if p is not None}
        )

    @rank_zero_only
    def finish(self) -> None:
        """Write out what is left: another run of this process begins a run of its own."""
        self.experiment.finish()


def without_places(value: Any) -> Any:
    """Give a configuration in which absolute paths are their last part."""
    if isinstance(value, dict):
        return {name: without_places(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(part) for part in value]
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str) and (value[:1] in "/~" or PureWindowsPath(value).drive):
        return Path(value).name
    return value
