from importlib.resources import files
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from errors import InputError, look_up, near
from evaluation.measurement.corruptions import CORRUPTIONS
from records.files import read_yaml

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


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings and config files of a reproduction: `configs` are those of all its runs.

    With `share_targets`, the teacher's targets are computed once for all students of a seed, and
    kept on disk until all are trained.
    """

    extraction: Extraction
    configs: list[str]
    teacher: str
    student: str
    measures: Measures
    share_targets: bool = False

    def config_files(self) -> list[Path]:
        """Return the paths of all config files that it names."""
        return [find_config(name) for name in (*self.configs, self.teacher, self.student)]


def read_recipe(setting: str) -> Recipe:
    """Read a recipe by its name in configs/reproduce, or by its path.

    Raises:
        InputError: It is missing or damaged, or names what does not exist.
    """
    path = find_config(setting, "reproduce")
    recipe = read_yaml(path, Recipe, "a recipe", "see configs/reproduce")
    recipe.config_files()
    for name in recipe.measures.corruptions:
        look_up(f"{path}: corruption", name, CORRUPTIONS)
    return recipe


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
