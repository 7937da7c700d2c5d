import importlib
import inspect
import sys
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from typing import Any, get_args, get_origin, get_type_hints

from cli.near_names import suggest
from errors import InputError

COMMANDS = {
    "mini-ffpp": "mini_ffpp",
    "extract": "extract",
    "reproduce": "reproduce",
    "report": "report",
    "profile": "profile",
    "robustness": "robustness",
    "compare": "compare",
    "sweep": "sweep",
    "doctor": "doctor",
    "crops": "crops",
}
TRAINER_COMMANDS = {
    "fit": "Train a teacher or distil a student.",
    "validate": "Evaluate a checkpoint on the validation split.",
    "test": "Evaluate a checkpoint on the test splits and write results.json.",
    "predict": "Score the test crops.",
}

# What jsonargparse adds to the reason.
BESIDE_THE_POINT = ("Given value", "Subtypes", "Does not validate", "Expected a <class 'NoneType'>")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `two-in-one`. A user's mistake is told in one line, with exit status 2."""
    words = [*map(_with_underscores, sys.argv[1:] if arguments is None else arguments)]
    try:
        if words and words[0] in TRAINER_COMMANDS:
            # Lightning takes seconds to import, so only these commands do.
            from training.trainer_cli import run_trainer_command

            run_trainer_command(words)
        else:
            _run_command(words)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except Exception as error:  # a mistake may come wrapped; anything else goes on as it is
        mistake = _mistake(error)
        if mistake is None:
            raise
        print(f"error: {one_line(mistake)}", file=sys.stderr)
        sys.exit(2)


def _with_underscores(word: str) -> str:
    """Take `--all-faces` for `--all_faces`."""
    option, equals, value = word.partition("=")
    if option.startswith("--"):
        option = f"--{option[2:].replace('-', '_')}"
    return f"{option}{equals}{value}"


def _mistake(error: BaseException | None) -> Exception | None:
    """The user's mistake behind an error: jsonargparse wraps what a constructor raises."""
    wrapped = error
    while wrapped is not None:
        if isinstance(wrapped, InputError):
            return wrapped
        wrapped = wrapped.__cause__ or wrapped.__context__
    return error if isinstance(error, ArgumentError) else None


def one_line(error: Exception) -> str:
    """The message without the parser's listing of every type that it tried, and a near name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # jsonargparse says what is wrong last, under one heading for each type of a union.
    reasons = [line.removeprefix("- ") for line in lines[1:] if not line.endswith(":")]
    told = [line for line in reasons if not line.startswith(BESIDE_THE_POINT)]
    line = " ".join([lines[0], *told[-1:]]) if lines else type(error).__name__
    return line if isinstance(error, InputError) else f"{line}{suggest(str(error))}"


def _run_command(words: list[str]) -> None:
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(
        prog="two-in-one",
        description="Two-in-one knowledge distillation for efficient facial forgery detection.",
        exit_on_error=False,
    )
    commands = parser.add_subcommands(required=True)
    functions = {}
    for name, module in COMMANDS.items():
        of_command = importlib.import_module(f"cli.{module}")
        if hasattr(of_command, "ACTIONS"):
            functions[name] = _add_actions(commands, name, of_command)
            continue
        function = getattr(of_command, module)
        functions[name] = function
        summary = (function.__doc__ or "").splitlines()[0]
        commands.add_subcommand(name, _parser_of(function, name), help=summary)
    for name, summary in TRAINER_COMMANDS.items():
        commands.add_subcommand(name, ArgumentParser(exit_on_error=False), help=summary)
    if not words:
        parser.print_help()
        sys.exit(2)
    config = parser.parse_args(words)
    name = config.subcommand
    options = config[name].as_dict()
    if "subcommand" in options:
        options = {"action": options["subcommand"], **options[options["subcommand"]]}
    options.pop("config", None)
    functions[name](**options)


def _add_actions(commands: Any, name: str, module: Any) -> Callable[..., None]:
    """Add a command that has commands of its own, the module's ACTIONS."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(
        prog=f"two-in-one {name}", description=module.__doc__, exit_on_error=False
    )
    commands.add_subcommand(name, parser, help=module.__doc__)
    actions = parser.add_subcommands(required=True)
    for action, function in module.ACTIONS.items():
        summary = (function.__doc__ or "").splitlines()[0]
        actions.add_subcommand(action, _parser_of(function, f"{name} {action}"), help=summary)

    def run(action: str, **options: Any) -> None:
        options.pop("config", None)
        module.ACTIONS[action](**options)

    return run


def _parser_of(function: Callable[..., None], name: str) -> Any:
    """Make a parser of a function's typed parameters and its docstring; a list takes words."""
    from docstring_parser import parse
    from jsonargparse import ArgumentParser

    documentation = parse(function.__doc__ or "")
    help_of = {p.arg_name: p.description for p in documentation.params}
    parser = ArgumentParser(
        prog=f"two-in-one {name}",
        description=documentation.short_description,
        exit_on_error=False,
    )
    lists, switches = {}, []
    hints = get_type_hints(function)
    for parameter in inspect.signature(function).parameters.values():
        element = _list_element(hints[parameter.name])
        if element is not None:
            lists[parameter.name] = (parameter, element)
        elif parameter.default is False:
            switches.append(parameter.name)
    for key, (parameter, element) in lists.items():
        required = parameter.default is inspect.Parameter.empty
        flags = [key] if required else [f"--{key}"]
        default = {} if required else {"default": parameter.default}
        parser.add_argument(*flags, nargs="+", type=element, help=help_of.get(key), **default)
    for key in switches:  # `--json` alone means true
        parser.add_argument(f"--{key}", action="store_true", help=help_of.get(key))
    parser.add_function_arguments(function, skip={*lists, *switches}, as_group=False)
    return parser


def _list_element(hint: Any) -> Any:
    for option in (hint, *get_args(hint)):
        if get_origin(option) is list:
            return get_args(option)[0]
    return None
