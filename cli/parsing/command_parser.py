"""Parsers of the commands that are functions: typed parameters are options, docstrings the help."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

from docstring_parser import parse
from jsonargparse import ArgumentParser

Function = Callable[..., None]


def run_command(name: str, module: ModuleType, argv: list[str]) -> None:
    """Parse the arguments of a command and call its function.

    Args:
        name: The command, e.g. "mini-ffpp".
        module: Holds a function with the command's name, or several as ACTIONS.
        argv: Arguments after the command's name.

    Raises:
        ArgumentError: The arguments do not parse.
        InputError: See the command.
    """
    if not hasattr(module, "ACTIONS"):
        function = getattr(module, name.replace("-", "_"))
        _call(function, _parser_of(function, name).parse_args(argv))
        return
    parser = ArgumentParser(
        prog=f"two-in-one {name}", description=module.__doc__, exit_on_error=False
    )
    subcommands = parser.add_subcommands(required=True)
    for action, function in module.ACTIONS.items():
        parsed = _parser_of(function, f"{name} {action}")
        subcommands.add_subcommand(action, parsed, help=parsed.description)
    config = parser.parse_args(argv)
    _call(module.ACTIONS[config.subcommand], config[config.subcommand])


def _call(function: Function, config: Any) -> None:
    options = config.as_dict()
    parameters = inspect.signature(function).parameters
    positional = [options.pop(k) for k, p in parameters.items() if p.kind is p.POSITIONAL_ONLY]
    function(*positional, **options)


def _parser_of(function: Function, name: str) -> ArgumentParser:
    documentation = parse(function.__doc__ or "")
    help_of = {p.arg_name: p.description for p in documentation.params}
    parser = ArgumentParser(
        prog=f"two-in-one {name}",
        description=documentation.short_description,
        exit_on_error=False,
    )
    hints = get_type_hints(function)
    handled: set[str | int] = set()
    for key, parameter in inspect.signature(function).parameters.items():
        element = _list_element(hints[key])
        if element is not None:  # `--seeds 0 1 2`; a list without a default is positional
            required = parameter.default is inspect.Parameter.empty
            default = {} if required else {"default": parameter.default}
            flag = key if required else f"--{key}"
            parser.add_argument(flag, nargs="+", type=element, help=help_of.get(key), **default)
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            parser.add_argument(
                key, nargs="?", type=hints[key], default=parameter.default, help=help_of.get(key)
            )
        elif parameter.default is False:  # `--json` alone means true
            parser.add_argument(f"--{key}", action="store_true", help=help_of.get(key))
        else:
            continue
        handled.add(key)
    parser.add_function_arguments(function, skip=handled, as_group=False)
    return parser


def _list_element(hint: Any) -> Any:
    for option in (hint, *get_args(hint)):
        if get_origin(option) is list:
            return get_args(option)[0]
    return None
