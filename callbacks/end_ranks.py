import signal

from lightning import Callback, LightningModule, Trainer


class EndRanks(Callback):
    """Terminates the ranks that a failing rank has launched.

    A rank that waits for others at start-up would otherwise wait for half an hour.
    """

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Terminate them, unless the exception is a request to stop."""
        launcher = trainer.strategy.launcher
        if launcher is not None and isinstance(exception, Exception):
            launcher.kill(signal.SIGTERM)
