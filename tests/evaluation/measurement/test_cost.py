from pathlib import Path

import pytest
from rich.console import Console

from callbacks.provenance import machine
from errors import InputError
from evaluation.comparison.run import read_run
from evaluation.measurement.cost import PROVIDERS, measure_costs, open_session
from evaluation.measurement.models import Model
from lightning_modules.distill import DistillModule
from lightning_modules.networks.backbone import BranchSpec
from tests.support.ladder_on_disk import write_run


# The warning is onnxruntime's, which the loading of a GPU's libraries does not raise.
@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.slow
def test_a_form_that_onnxruntime_would_run_on_the_cpu_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second device is the CPU by another name, with a provider that only Windows has."""
    provider = "DmlExecutionProvider"
    monkeypatch.setitem(PROVIDERS, "cpu:0", provider)
    with pytest.raises(InputError, match=f"built without {provider}"):
        open_session(tmp_path / "network.onnx", "cpu:0")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [PROVIDERS["cpu"], provider])
    run = read_run(write_run(tmp_path, "student"))
    detector = DistillModule(BranchSpec("resnet10t"), targets=[], image_size=64).eval()
    model = Model(run, run.files.results, detector)
    profile = measure_costs([model], ["cpu", "cpu:0"], 1, machine(), Console(quiet=True))
    assert list(profile.networks[0].forms) == ["cpu eager", "cpu onnx", "cpu:0 eager"]
    assert list(profile.not_measured) == ["cpu:0 onnx"]
    assert f"cannot load {provider}" in profile.not_measured["cpu:0 onnx"]
