from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from errors import InputError, look_up, near
from evaluation.measurement.corruptions import CORRUPTIONS
from experiments.experiment import TEACHER, Experiment
from records.files import convert_record, read_yaml

CONFIGS = Path(str(files("configs")))

Positive = Annotated[int, Meta(ge=1)]


class Extraction(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `two-in-one extract`."""

    frames_per_video: Positive
    size: Positive


class Measures(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `two-in-one profile` and `two-in-one robustness`."""

    rounds: Positive
    corruptions: list[str]
    num_workers: Annotated[int, Meta(ge=0)]


class People(Struct, frozen=True, forbid_unknown_fields=True):
    """Number of people in each split of a rendered miniature, each even."""

    train: Positive
    val: Positive
    test: Positive


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings and config files of a reproduction.

    Attributes:
        configs: Config files of all runs.
        share_targets: Compute the teacher's targets once for all students of a seed, and keep them
            on disk until all are trained.
        people: Size of the rendered miniature. Default: that of `two-in-one mini-ffpp`.
        experiment: The runs, where the command line does not name them.
    """

    extraction: Extraction
    configs: list[str]
    teacher: str
    student: str
    measures: Measures
    share_targets: bool = False
    people: People | None = None
    experiment: Experiment = Experiment()

    def config_files(self) -> list[Path]:
        """Return the paths of all config files that it names, without the rungs."""
        return [find_config(name) for name in (*self.configs, self.teacher, self.student)]


def read_recipe(setting: str) -> Recipe:
    """Read a recipe by its name in configs/reproduce, or by its path.

    `base` names a recipe from which it takes what it does not set.

    Raises:
        InputError: It or a config that it names is missing or damaged, or a corruption does not
            exist.
    """
    path = find_config(setting, "reproduce")
    expected, remedy = "a recipe", "see configs/reproduce"
    content = read_yaml(path, dict[str, Any], expected, remedy)
    if base := content.pop("base", None):
        based_on = find_config(str(base), "reproduce")
        content = read_yaml(based_on, dict[str, Any], expected, remedy) | content
    recipe = convert_record(path, content, Recipe, expected, remedy)
    for config in recipe.config_files():
        read_config(config)
    for name in recipe.measures.corruptions:
        look_up(f"{path}: corruption", name, CORRUPTIONS)
    return recipe


def check_rungs(methods: Sequence[str]) -> None:
    """Check that every rung can be read, and that the runs of each have names of their own.

    Raises:
        InputError: A rung is missing or damaged, or is named like another one or the teacher.
    """
    known = {TEACHER: "the teacher"}
    for method in methods:
        path = find_config(method, "methods")
        read_config(path)
        if path.stem in known:
            taken = known[path.stem]
            msg = f"{method}: its runs would be named like those of {taken}: rename the file"
            raise InputError(msg)
        known[path.stem] = method


def shipped_rungs() -> list[str]:
    """Return the names of the rungs of configs/methods."""
    return sorted(path.stem for path in (CONFIGS / "methods").glob("*.yaml"))


def read_config(path: Path) -> dict[str, Any]:
    """Read a config of a run; see `read_yaml` for errors."""
    return read_yaml(path, dict[str, Any], "a configuration in YAML", "correct it")


def find_config(name: str, folder: str = "") -> Path:
    """Return the path of a config below configs/FOLDER, or of a user's own file.

    Raises:
        InputError: Neither exists.
    """
    own = CONFIGS / folder
    for path in (own / f"{name}.yaml", own / name, Path(name)):
        if path.is_file():
            return path
    available = sorted(path.stem for path in own.glob("*.yaml"))
    hint = near(name, available) or f": choose from {', '.join(available)}"
    msg = f"{name}: neither a file nor a config of configs/{folder}{hint}"
    raise InputError(msg)
