import platform
import subprocess
import sys
from pathlib import Path

import pytest

from records.provenance import processor_name

CODE = "from callbacks.provenance import machine; print(machine()['instruction_set'])"


@pytest.mark.slow
def test_the_instruction_set_that_torch_uses_is_recorded(monkeypatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")  # torch's switch to its portable kernels
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("DEFAULT", "NO AVX")


def test_the_model_of_the_processor_is_recorded() -> None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file() or "model name" not in cpuinfo.read_text():
        pytest.skip("no list of processors with their models")
    assert processor_name() != platform.machine()
    assert processor_name() in cpuinfo.read_text()
