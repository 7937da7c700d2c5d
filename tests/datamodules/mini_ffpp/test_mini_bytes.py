"""The same settings give the same bytes, whatever the processor, environment and processes."""

import hashlib
import platform
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from datamodules.mini_ffpp.celeb_df import MiniCelebDF
from datamodules.mini_ffpp.ffpp import MiniFFPP
from datamodules.mini_ffpp.people import CELEB_DF, Population
from tests.datamodules.mini_ffpp.conftest import Bytes

# SHA-256 of the videos of `small_ffpp`, by instruction set and by versions of NumPy, OpenCV, PyAV
# and the C library, whose mathematical functions NumPy calls.
MEASURED = {
    ("AVX512", "2.4.6", "5.0.0", "18.1.0", "glibc 2.36"): (
        "9aeb948fdd269da46998c4ade68f3c0e06902ea987e6b4d7b892c598cc6dd202"
    ),
}


def instruction_set() -> str:
    """The widest vectors of the processor that NumPy was built for."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    if any(name.startswith(("AVX512", "X86_V4")) for name in found):
        return "AVX512"
    return "AVX2" if {"AVX2", "X86_V3"} & set(found) else platform.machine()


def test_the_bytes_are_those_measured(small_ffpp: Path, bytes_of: Bytes) -> None:
    libc = " ".join(platform.libc_ver())
    here = (instruction_set(), np.__version__, cv2.__version__, av.__version__, libc)
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(bytes_of(small_ffpp).items())
        if name.endswith(".mp4")
    ]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    if here not in MEASURED:
        pytest.skip(f"no hash was measured with {here}; here it is {digest}")
    assert digest == MEASURED[here]


@pytest.mark.parametrize(
    ("workers", "environment"),
    [
        (2, {}),
        (
            1,
            {
                "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
                "OPENCV_IPP": "sse42",
                "OPENCV_CPU_DISABLE": "AVX512-SKX",
                "OPENBLAS_CORETYPE": "Nehalem",
            },
        ),
        (1, {"NPY_ENABLE_CPU_FEATURES": "AVX512_ICL"}),
    ],
    ids=["two processes", "other instructions", "enabled features"],
)
def test_workers_and_environment_do_not_change_the_bytes(
    workers: int,
    environment: dict[str, str],
    small_ffpp: Path,
    small_population: Population,
    bytes_of: Bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    MiniFFPP(tmp_path / "again", small_population, (2, 2, 2)).generate(workers)
    assert bytes_of(tmp_path / "again") == bytes_of(small_ffpp)


def test_celeb_df_has_the_same_bytes_again(
    small_celeb_df: Path, bytes_of: Bytes, tmp_path: Path
) -> None:
    MiniCelebDF(tmp_path / "again", Population(0, CELEB_DF, 2, 96), 10).generate(workers=1)
    assert bytes_of(tmp_path / "again") == bytes_of(small_celeb_df)
