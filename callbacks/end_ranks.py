import signal

from lightning import Callback, LightningModule, Trainer


class EndRanks(Callback):
    """Terminates the ranks that a failing rank has launched; they would wait for half an hour."""

    def on_exception(self, trainer: Trainer, _: LightningModule, exception: BaseException) -> None:
        """Terminate them, unless the exception is a request to stop."""
        launcher = trainer.strategy.launcher
        if launcher is not None and isinstance(exception, Exception):
            launcher.kill(signal.SIGTERM)
