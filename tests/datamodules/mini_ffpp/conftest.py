from collections.abc import Callable
from pathlib import Path

import pytest

from datamodules.mini_ffpp.celeb_df import MiniCelebDF
from datamodules.mini_ffpp.people import CELEB_DF, Population
from tests.support.sharing import make_once

Bytes = Callable[[Path], dict[str, bytes]]


@pytest.fixture(scope="session")
def small_celeb_df(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature of Celeb-DF with ten celebrities."""
    return make_once(
        tmp_path_factory,
        "mini-celeb-df",
        lambda root: MiniCelebDF(root, Population(0, CELEB_DF, 2, 96), 10).generate(workers=2),
    )


@pytest.fixture(scope="session")
def bytes_of() -> Bytes:
    """Read every file below a folder."""

    def read(root: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }

    return read


@pytest.fixture(scope="session")
def small_options() -> list[str]:
    """The options of the command that renders `small_ffpp`."""
    return ["--train=2", "--val=2", "--test=2", "--frames=4", "--size=160"]
