"""Recipes of reproductions: configs/reproduce/*.yaml and files like these."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec

from errors import InputError, look_up, near
from evaluation.measurement.corruptions import CORRUPTIONS
from records.files import read_yaml

CONFIGS = Path(str(files("configs")))

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Extraction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `two-in-one extract`."""

    frames_per_video: Positive
    size: Positive


class Measures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `two-in-one profile` and `two-in-one robustness`."""

    rounds: Positive
    corruptions: list[str]
    num_workers: Annotated[int, msgspec.Meta(ge=0)]


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The configuration files and settings of a reproduction.

    Attributes:
        extraction: Settings of the face extraction.
        configs: Config files of all runs.
        teacher: Config file of the teacher.
        student: Config file of the students, before that of the rung.
        measures: What is measured on the finished runs.
    """

    extraction: Extraction
    configs: list[str]
    teacher: str
    student: str
    measures: Measures

    def config_files(self) -> list[Path]:
        """Return the paths of all config files that it names."""
        return [find_config(name) for name in (*self.configs, self.teacher, self.student)]


def read_recipe(setting: str) -> Recipe:
    """Read a recipe.

    Args:
        setting: Name of a recipe of configs/reproduce, or a path.

    Raises:
        InputError: It is missing, not YAML, has an unknown, missing or wrong field, or names a
            config or a corruption that does not exist.
    """
    path = find_config(setting, "reproduce")
    recipe = read_yaml(path, Recipe, "a recipe", "see configs/reproduce")
    recipe.config_files()
    for name in recipe.measures.corruptions:
        look_up(f"{path}: corruption", name, CORRUPTIONS)
    return recipe


def find_config(name: str, folder: str = "") -> Path:
    """Return the path of a config of this project, or of a user's own file.

    Args:
        name: Path below configs/FOLDER, where `.yaml` may be left out, or the path of a file.
        folder: A folder of configs.

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
