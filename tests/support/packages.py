"""The package of the tiny student, exported once, and damaged copies of it."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.support.sharing import make_once


@pytest.fixture(scope="session")
def package(tiny_student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported tiny student; copy it before changing it."""
    return make_once(
        tmp_path_factory,
        "detector",
        lambda folder: main(["export", str(tiny_student), f"--out={folder}"]),
    )


@pytest.fixture
def copied_package(package: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(package, tmp_path / "detector"))


def change_card(package: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Rewrite card.json, with the hashes of the files as they are now."""
    card = json.loads((package / "card.json").read_text())
    card["files"] = {
        name: hashlib.sha256((package / name).read_bytes()).hexdigest() for name in card["files"]
    }
    change(card)
    (package / "card.json").write_text(json.dumps(card))
