from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from msgspec import to_builtins

from callbacks.provenance import git_state
from datamodules.crops.store import CropStore
from errors import InputError
from evaluation.comparison.run import read_run


class WandbRun(WandbLogger):
    """Logs a run to Weights & Biases, without paths of this machine.

    Raises:
        InputError: An offline run is to upload its checkpoint.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        import wandb  # takes a second to import, which runs without W&B save

        run = config["run"]
        if run["wandb_checkpoint"] and run["wandb"] == "offline":
            msg = (
                "run.wandb_checkpoint with run.wandb offline: a checkpoint is uploaded at once: "
                "set run.wandb online, or run.wandb_checkpoint false"
            )
            raise InputError(msg)
        self.folder = folder
        manifest = CropStore(Path(config["data"]["crops"])).manifest_hash
        settings = {name: value for name, value in config.items() if name != "run"}
        super().__init__(
            name=f"{run['method']}-seed{config['seed_everything']}",
            save_dir=folder,
            log_model=run["wandb_checkpoint"],
            project=run["project"],
            group=run["group"],
            tags=[run["method"], *run["tags"]],
            config=without_folders(settings | git_state() | {"data_manifest_sha256": manifest}),
            # W&B's metadata names the home folder. The mode is set here because Lightning's
            # `offline` would apply to later runs of this process as well.
            settings=wandb.Settings(
                mode=run["wandb"], silent=True, x_disable_meta=True, disable_git=True
            ),
        )
        # wandb 0.31 warns of this argument, whatever its value.
        self._wandb_init.pop("anonymous", None)

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Log nothing: the configuration holds the hyperparameters."""

    @rank_zero_only
    def finish(self, *, with_results: bool) -> None:
        """End the W&B run, so that a later run of this process starts its own."""
        if with_results:
            self._log_results()
        self.experiment.finish()

    def _log_results(self) -> None:
        """Log the results of a test: a table of metrics, and the report's plots."""
        import wandb  # see above

        from evaluation.report.quality_plots import roc_curves, score_histograms
        from evaluation.report.training_plots import training_curves

        run = read_run(self.folder)
        rows = [
            {"test": test, "level": level, **to_builtins(getattr(metrics.overall, level))}
            for test, metrics in run.metrics().items()
            for level in ("frame", "video")
        ]
        table = pd.DataFrame(rows).map(lambda x: None if isinstance(x, dict | list) else x)
        pictures = [*training_curves([run]), roc_curves([run]), score_histograms([run])]
        # A wandb.Table is an artifact, whose record names the home folder.
        html = table.to_html(index=False, na_rep="", float_format="{:.4f}".format)
        self.experiment.log(
            {"report/figures": wandb.Html(html)}
            | {f"report/{p.title}": wandb.Html(p.svg) for p in pictures if p is not None}
        )


def without_folders(value: Any) -> Any:
    """Return a configuration in which absolute paths are reduced to their last part."""
    if isinstance(value, dict):
        return {name: without_folders(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_folders(part) for part in value]
    is_absolute = isinstance(value, str) and value.startswith(("/", "~"))
    return Path(value).name if is_absolute else value
