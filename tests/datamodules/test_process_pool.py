import os

import cv2
import numpy as np
import pytest

from datamodules.process_pool import run_tasks
from errors import InputError


def computing(_: int) -> tuple[int, bool, bool]:
    """The process, whether NumPy uses AVX-512 in it, and whether OpenCV uses IPP."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    avx512 = any(name.startswith(("AVX512", "X86_V4")) for name in found)
    return os.getpid(), avx512, cv2.ipp.useIPP()


def square_of_even(number: int) -> int:
    if number % 2:
        msg = f"{number} is odd"
        raise InputError(msg)
    return number**2


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_in_the_order_of_the_tasks(workers: int) -> None:
    assert run_tasks(square_of_even, range(0, 20, 2), workers, "squares") == [
        number**2 for number in range(0, 20, 2)
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_task_is_raised(workers: int) -> None:
    with pytest.raises(InputError, match="3 is odd"):
        run_tasks(square_of_even, [2, 3], workers, "squares")


@pytest.mark.parametrize("name", ["NPY_ENABLE_CPU_FEATURES", "NPY_DISABLE_CPU_FEATURES"])
def test_portable_tasks_use_neither_avx512_nor_ipp(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "X86_V3")
    before = dict(os.environ)
    ((process, avx512, ipp),) = run_tasks(computing, [0], 1, "features", portable=True)
    assert process != os.getpid()
    assert not avx512
    assert not ipp
    assert dict(os.environ) == before
