import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Make a folder that all processes of a parallel test run share; tests only read it.

    Args:
        factory: The session's temporary folders.
        name: Name of the folder.
        make: Fills the folder, in the first process that asks for it. The others wait.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, made = base / "shared" / name, base / "shared" / f".{name}.made"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_name(f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            made.touch()
    return folder
