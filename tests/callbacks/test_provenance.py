import subprocess
import sys

import pytest

CODE = "from callbacks.provenance import machine; print(machine()['instruction_set'])"


@pytest.mark.slow
def test_the_instruction_set_that_torch_uses_is_recorded(monkeypatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")  # torch's switch to its portable kernels
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("DEFAULT", "NO AVX")
