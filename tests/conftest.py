from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference vectors and real clips; tests that need it skip without it."""
    if not SHARED.is_dir():
        pytest.skip("the shared reference material is not there")
    return SHARED
