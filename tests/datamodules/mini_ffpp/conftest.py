from pathlib import Path

import pytest

from datamodules.mini_ffpp.celeb_df import generate_mini_celeb_df
from datamodules.mini_ffpp.generate import generate_mini_ffpp

TINY = {"train": 2, "val": 2, "test": 2, "frames": 2, "seed": 3}


@pytest.fixture(scope="session")
def tiny_settings() -> dict[str, int]:
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered miniature of 2 + 2 + 2 identities, made in one process."""
    root = tmp_path_factory.mktemp("tiny") / "mini-ffpp"
    generate_mini_ffpp(root, workers=1, **TINY)
    return root


@pytest.fixture(scope="session")
def tiny_celeb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature of Celeb-DF with ten celebrities."""
    root = tmp_path_factory.mktemp("celeb") / "mini-celeb-df"
    generate_mini_celeb_df(root, celebrities=10, frames=2, size=128, seed=3, workers=2)
    return root
