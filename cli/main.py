import importlib
import sys
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from errors import InputError, look_up


class Command(NamedTuple):
    """A command: the module that runs it, and its line in the overview."""

    module: str
    summary: str


COMMANDS = {
    "mini-ffpp": Command("cli.mini_ffpp", "Render the miniatures of FaceForensics++ and Celeb-DF."),
    "extract": Command("cli.extract", "Extract face crops from a data set into a crop store."),
    "fit": Command("training.trainer_cli", "Train a teacher, or distill a student."),
    "validate": Command("training.trainer_cli", "Evaluate a checkpoint on the validation split."),
    "test": Command("training.trainer_cli", "Evaluate a checkpoint on the test splits."),
    "reproduce": Command("cli.reproduce", "Run the whole experiment, from videos to a report."),
    "report": Command("cli.report", "Write the report of a reproduction or of any runs."),
    "profile": Command("cli.profile", "Measure parameters, MACs, latency and throughput of runs."),
    "robustness": Command("cli.robustness", "Test runs on corrupted crops."),
    "compare": Command("cli.compare", "Print a table of runs with their paired differences."),
    "export": Command("cli.export", "Export a run as a package that scores videos anywhere."),
    "sweep": Command("cli.sweep", "Run the grid of a W&B sweep file without an account."),
    "check": Command("cli.check", "Judge the people in videos and images."),
    "calibrate": Command("cli.calibrate", "Compare checks with real videos of your own."),
    "doctor": Command("cli.doctor", "Report what is missing or damaged in a data set."),
    "backbones": Command("cli.backbones", "List timm's backbones with their cost as a branch."),
    "crops": Command("cli.crops", "Show, check or import crops of a crop store."),
}
"""The commands in the order of the overview; one module is imported, when its command runs."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `two-in-one`.

    A user's mistake is printed as one line, and the exit status is 2.

    Args:
        arguments: The arguments of the command line. Default: those of the process.
    """
    argv = [*map(_with_underscores, sys.argv[1:] if arguments is None else arguments)]
    _append_working_folder()
    try:
        if argv and argv[0] not in ("-h", "--help"):
            _run(argv)
            return
        _print_overview()
        sys.exit(0 if argv else 2)
    except KeyboardInterrupt:
        print("interrupted: run the same command again to resume", file=sys.stderr)
        sys.exit(130)
    # Whatever was raised, a user's mistake may be its cause; anything else is raised again.
    except Exception as error:
        mistake = _users_mistake(error)
        if mistake is None:
            raise
        print(f"error: {mistake}", file=sys.stderr)
        sys.exit(2)


def _append_working_folder() -> None:
    """Make modules of the working folder importable, after the project's own and installed ones.

    The project's folder comes first because an editable install finds the project's packages only
    after everything on the path: a user's own training.py would be imported in their place.
    """
    for folder in (str(Path(__file__).parents[1]), str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)


def _with_underscores(argument: str) -> str:
    """Accept `--all-faces` for `--all_faces`."""
    option, equals, value = argument.partition("=")
    if option.startswith("--"):
        option = f"--{option[2:].replace('-', '_')}"
    return f"{option}{equals}{value}"


def _print_overview() -> None:
    print("usage: two-in-one COMMAND [options]\n")
    print("Two-in-one knowledge distillation for efficient facial forgery detection.\n")
    for name, command in COMMANDS.items():
        print(f"  {name:12}{command.summary}")
    print("\nRun `two-in-one COMMAND --help` for the options of a command.")


def _run(argv: list[str]) -> None:
    name = argv[0]
    command = look_up("command", name, COMMANDS)
    module = importlib.import_module(command.module)
    if command.module == "training.trainer_cli":
        module.run_trainer_command(argv)
        return
    # jsonargparse takes longer to import than the overview to print.
    from cli.parsing.command_parser import run_command

    run_command(name, module, argv[1:])


def _users_mistake(error: BaseException | None) -> str | None:
    """Return the line that describes a user's mistake, or None for any other error.

    jsonargparse wraps what a constructor raises, so the causes are searched too.
    """
    cause = error
    while cause is not None:
        if isinstance(cause, InputError):
            return " ".join(str(cause).split())
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, ArgumentError):
        # It imports the classes that the options configure, which takes seconds.
        from cli.parsing.parser_errors import describe

        return describe(str(error))
    return None
