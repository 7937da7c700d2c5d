import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from training.process import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def step():
    # Above the 32 MiB up to which glibc may keep an array without being told to.
    x = torch.zeros(10_000_000)
    for _ in range(2):
        x = x + 1
# Until then the heap may still grow by the arrays of a step, wherever the system has placed it.
for _ in range(30):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="an option of glibc")
def test_a_step_reuses_the_memory_of_the_previous_step() -> None:
    faults = {
        how: int(subprocess.check_output([sys.executable, "-c", FAULTS, how]))
        for how in ("given back", "kept")
    }
    assert faults["kept"] < 1000, faults
    assert faults["kept"] < faults["given back"] / 10, faults
