from collections.abc import Callable
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from checking.files import printing


class RichScreen:
    """Show the progress of `check` and `calibrate` on standard error, and print their lines.

    Args:
        to_stderr: Print the lines to standard error, too.
    """

    def __init__(self, to_stderr: bool = False) -> None:
        self._console = Console(stderr=to_stderr, markup=False, highlight=False, soft_wrap=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        terminal = Console(stderr=True, markup=False)
        is_hidden = not terminal.is_terminal
        self._progress = Progress(*columns, console=terminal, transient=True, disable=is_hidden)
        self._task = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def watch(self, path: Path, place: int, total: int) -> Callable[[int, int], None]:
        """Show that a file is being checked; return what is called with frames done and total."""
        name = f"{place + 1}/{total} {path.name}"
        self._progress.reset(self._task, description=name, total=None, visible=True)

        def show(done: int, frames: int) -> None:
            self._progress.update(self._task, completed=done, total=frames)

        return show

    def print(self, line: str) -> None:
        """Print a line."""
        with printing(self._console.file):
            self._console.print(line)

    def error(self, line: str) -> None:
        """Print a line about bad input to standard error."""
        self._progress.console.print(f"error: {line}", highlight=False, soft_wrap=True)
