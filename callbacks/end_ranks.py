import signal

from lightning import Callback, LightningModule, Trainer


class EndRanks(Callback):
    """Where a rank fails, ends those that it launched.

    One that is only on its way to the meeting point would wait there for half an hour.
    """

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """End them; a rank that was asked to stop is none that fails."""
        launcher = trainer.strategy.launcher
        if launcher is not None and isinstance(exception, Exception):
            launcher.kill(signal.SIGTERM)
