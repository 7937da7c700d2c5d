"""W&B sweep files that are grids: their points, and the command of each point."""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from errors import InputError
from records.files import read_yaml

SEED = "seed_everything"
REMEDY = "list `value` or `values` under `method: grid`, or use W&B: `make sweep`"
ONLY_WITH_WANDB = ("early_terminate", "run_cap", "controller")


@dataclass(frozen=True)
class Point:
    """A point of a grid: the value of every parameter by its name on the command line."""

    parameters: dict[str, Any]

    @property
    def id(self) -> str:
        """A short name that follows from the values alone."""
        text = json.dumps(self.parameters, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def argv(self) -> list[str]:
        """Return the arguments that W&B's agent substitutes for ${args}."""
        words = {
            name: value if isinstance(value, str) else json.dumps(value, default=str)
            for name, value in self.parameters.items()
        }
        return [f"--{name}={word}" for name, word in words.items()]


class Metric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The logged value that the designs of a sweep are compared by."""

    name: str
    goal: Literal["minimize", "maximize"] = "minimize"


class SweepFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a W&B sweep file, https://docs.wandb.ai/guides/sweeps.

    Attributes:
        command: The command of every point, `two-in-one fit …`.
        parameters: By name on the command line: `{value: …}` or `{values: [...]}`.
    """

    method: str
    metric: Metric
    parameters: dict[str, Any]
    command: list[str]
    name: Any = None
    description: Any = None
    program: Any = None
    project: Any = None
    entity: Any = None
    early_terminate: Any = None
    run_cap: Any = None
    controller: Any = None

    def argv(self) -> list[str]:
        """Return the arguments that all points share, the subcommand first."""
        return [word for word in self.command if not word.startswith("${")][1:]

    def settings(self) -> dict[str, str]:
        """Return what all points share: the metric, and the arguments by option."""
        shared, given = {"metric": self.metric.name, "goal": self.metric.goal}, Counter[str]()
        for word in self.argv():
            option, _, value = word.partition("=")
            given[option] += 1
            shared[f"{option} ({given[option]})" if given[option] > 1 else option] = value
        return shared

    def with_options(self, options: Sequence[str]) -> "SweepFile":
        """Return the sweep with arguments for every point, without their dashes.

        They replace fixed values of the file.

        Raises:
            InputError: The grid varies an argument.
        """
        parameters, command = dict(self.parameters), list(self.command)
        for option in options:
            name, _, value = option.partition("=")
            if "values" in parameters.get(name, {}):
                msg = f"--options {option}: the sweep varies it: leave it out, or edit the file"
                raise InputError(msg)
            if name in parameters:
                parameters[name] = {"value": value}
            else:
                command.append(f"--{option}")
        return msgspec.structs.replace(self, parameters=parameters, command=command)

    def points(self) -> list[Point]:
        """Return all points of the grid, each once."""
        choices = [p.get("values", [p.get("value")]) for p in self.parameters.values()]
        grid = itertools.product(*choices)
        points = [Point(dict(zip(self.parameters, values, strict=True))) for values in grid]
        return list({point.id: point for point in points}.values())

    def design(self, point: Point) -> dict[str, Any]:
        """Return the values by which a point differs from others, without its seed."""
        return {
            name: value
            for name, value in point.parameters.items()
            if name != SEED and "values" in self.parameters[name]
        }


def read_sweep_file(path: Path) -> SweepFile:
    """Read a sweep file.

    Raises:
        InputError: It is missing, not YAML, has a field that W&B does not know or of another
            type, or needs more than a grid.
    """
    swept = read_yaml(path, SweepFile, "a W&B sweep file", "see configs/sweeps")
    for problem in _problems(swept):
        msg = f"{path}: {problem}"
        raise InputError(msg)
    return swept


def _problems(swept: SweepFile) -> Iterator[str]:
    if swept.method != "grid":
        yield f"method {swept.method!r}: a local sweep is a grid: {REMEDY}"
    for key in ONLY_WITH_WANDB:
        if getattr(swept, key) is not None:
            yield f"{key}: a local sweep runs every point to its end: leave it out, or `make sweep`"
    if swept.command[:1] != ["two-in-one"] or swept.argv()[:1] != ["fit"]:
        yield f"command: expected `two-in-one fit …`, got {' '.join(swept.command[:2])!r}"
    for name, parameter in swept.parameters.items():
        keys = sorted(map(str, parameter)) if isinstance(parameter, dict) else [repr(parameter)]
        if keys not in (["value"], ["values"]):
            yield f"parameters.{name}: expected value or values, got {', '.join(keys)}: {REMEDY}"
        elif not isinstance(values := parameter.get("values", [0]), list) or not values:
            yield f"parameters.{name}.values: expected a list with at least one value"
