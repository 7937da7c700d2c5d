"""W&B's sweep files: the points they stand for, and the command of each."""

import hashlib
import itertools
import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from errors import InputError, near

SEED = "seed_everything"
# What W&B's sweep files know.
KEYS = (
    "command", "controller", "description", "early_terminate", "entity", "imageuri", "job",
    "method", "metric", "name", "parameters", "program", "project", "run_cap",
)  # fmt: skip
PARAMETER_KEYS = (
    "distribution", "max", "min", "mu", "parameters", "probabilities", "q", "sigma", "value",
    "values",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A point of a sweep: the value of every parameter, by its name on the command line."""

    parameters: dict[str, Any]

    @property
    def id(self) -> str:
        """A short name that follows from the values alone."""
        text = json.dumps(self.parameters, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def words(self) -> list[str]:
        """The words that W&B's agent puts in the place of ${args}."""
        return [f"--{name}={_spell(value)}" for name, value in self.parameters.items()]


@dataclass(frozen=True)
class SweepFile:
    """What a sweep file says.

    Attributes:
        path: Of the file.
        metric: The logged name that designs are compared by.
        maximize: Whether more of it is better.
        command: Words before the arguments: `two-in-one fit …`.
        method: grid or random.
        parameters: By name, as W&B writes them.
    """

    path: Path
    metric: str
    maximize: bool
    command: list[str]
    method: str
    parameters: dict[str, dict[str, Any]]

    def points(self, count: int | None = None) -> list[Point]:
        """Give the points: all of a grid, or `count` drawn ones.

        Raises:
            InputError: A random sweep needs a count.
        """
        if self.method == "grid":
            names = list(self.parameters)
            choices = [self._choices(name) for name in names]
            points = [
                Point(dict(zip(names, values, strict=True)))
                for values in itertools.product(*choices)
            ]
            return points[:count]
        if count is None:
            msg = f"{self.path}: a random sweep has no end: say how many points by --count"
            raise InputError(msg)
        generator = random.Random(0)
        return list(itertools.islice(self._drawn(generator), count))

    def design(self, point: Point) -> dict[str, Any]:
        """Give what a point varies, its seed left out."""
        return {
            name: value
            for name, value in point.parameters.items()
            if name != SEED and "value" not in self.parameters[name]
        }

    def _choices(self, name: str) -> list[Any]:
        parameter = self.parameters[name]
        if "value" in parameter:
            return [parameter["value"]]
        if "values" in parameter:
            return list(parameter["values"])
        msg = f"{self.path}: parameters.{name}: a grid needs `value` or `values`"
        raise InputError(msg)

    def _drawn(self, generator: random.Random) -> Iterator[Point]:
        seen: set[str] = set()
        while True:
            point = Point({name: self._draw(name, generator) for name in self.parameters})
            if point.id not in seen or len(seen) > 10_000:
                seen.add(point.id)
                yield point

    def _draw(self, name: str, generator: random.Random) -> Any:
        parameter = self.parameters[name]
        if "value" in parameter or "values" in parameter:
            return generator.choice(self._choices(name))
        low, high = (parameter.get(end) for end in ("min", "max"))
        kind = parameter.get("distribution", "int_uniform" if isinstance(low, int) else "uniform")
        if low is None or high is None or kind not in DISTRIBUTIONS:
            msg = (
                f"{self.path}: parameters.{name}: expected `value`, `values`, or `min` and `max` "
                f"with a distribution of {', '.join(DISTRIBUTIONS)}"
            )
            raise InputError(msg)
        return DISTRIBUTIONS[kind](generator, low, high)


def _uniform(generator: random.Random, low: float, high: float) -> float:
    return generator.uniform(low, high)


def _int_uniform(generator: random.Random, low: int, high: int) -> int:
    return generator.randint(low, high)


def _log_uniform(generator: random.Random, low: float, high: float) -> float:
    return math.exp(generator.uniform(math.log(low), math.log(high)))


DISTRIBUTIONS: dict[str, Callable[[random.Random, Any, Any], float]] = {
    "uniform": _uniform,
    "int_uniform": _int_uniform,
    "log_uniform_values": _log_uniform,
}
"""W&B's distributions between `min` and `max` that are drawn from here."""


def read_sweep_file(path: Path) -> SweepFile:
    """Read a sweep file.

    Raises:
        InputError: It is not there, not YAML, has a key that W&B does not know, or lacks what a
            sweep needs.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        msg = f"{path}: cannot be read as a sweep file: {reason}"
        raise InputError(msg) from error
    if not isinstance(content, dict):
        content = {}
    _refuse_unknown(path, content, KEYS)
    missing = [key for key in ("method", "metric", "parameters", "command") if key not in content]
    if missing:
        msg = f"{path}: not a sweep file, it lacks {', '.join(missing)}: see configs/sweeps"
        raise InputError(msg)
    if content["method"] not in ("grid", "random"):
        msg = (
            f"{path}: method {content['method']!r}: grid and random sweeps run here, others need "
            "W&B: `wandb sweep` and `wandb agent`"
        )
        raise InputError(msg)
    words = [str(word) for word in content["command"]]
    command = [word for word in words if not word.startswith("${")]
    if command[:2] != ["two-in-one", "fit"]:
        msg = f"{path}: command: expected `two-in-one fit …`, got {' '.join(command[:2])!r}"
        raise InputError(msg)
    return SweepFile(
        path,
        str(content["metric"]["name"]),
        content["metric"].get("goal", "minimize") == "maximize",
        command,
        str(content["method"]),
        dict(_flat(path, content["parameters"])),
    )


def _flat(
    path: Path, parameters: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Nested parameters by their dotted names."""
    for name, parameter in parameters.items():
        if not isinstance(parameter, dict):
            msg = (
                f"{path}: parameters.{prefix}{name}: expected `value`, `values`, or `min` and `max`"
            )
            raise InputError(msg)
        _refuse_unknown(path, parameter, PARAMETER_KEYS, f"parameters.{prefix}{name}.")
        if "parameters" in parameter:
            yield from _flat(path, parameter["parameters"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", parameter


def _refuse_unknown(
    path: Path, content: dict[str, Any], known: tuple[str, ...], prefix: str = ""
) -> None:
    for key in content:
        if key not in known:
            hint = near(str(key), known) or f": there are {', '.join(known)}"
            msg = f"{path}: {prefix}{key} is no key of a sweep file{hint}"
            raise InputError(msg)


def _spell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
