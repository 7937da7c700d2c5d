"""A user's own designs, named by class paths on the command line."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from cli.main import main
from lightning_modules.checkpoints import load_detector
from tests.support.runs import checkpoint, distil, mistake

ARGS = "--model.init_args"
DESIGNS = """
import torch
from torch import nn
from lightning_modules.homogenization.base import Weighting
from lightning_modules.networks.front_ends import FrontEnd
from lightning_modules.projectors import Projector

class OwnProjector(Projector):
    def __init__(self, student_channels, teacher_channels, gain=1.0):
        super().__init__()
        self.layers = nn.Conv2d(student_channels, teacher_channels, 1)
        self.gain = gain

class OwnWeighting(Weighting):
    def forward(self, gramian):
        return torch.tensor([0.25, 0.75]).to(gramian)

class OwnFrontEnd(FrontEnd):
    out_channels = 1
    def forward(self, x):
        return x[:, :1] - 0.5

def own_distance(student, teacher):
    return (student - teacher).abs().mean()

def own_logit_loss(student, teacher, label, temperature):
    return (student - teacher).square().mean() / temperature
"""
OPTIONS = {
    "homogenization.weighting": "OwnWeighting",
    "distance": "own_distance",
    "student.front_end": "OwnFrontEnd",
    "logits.loss": "own_logit_loss",
}


@pytest.fixture
def own_designs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_designs.py").write_text(DESIGNS)
    (tmp_path / "broken_designs.py").write_text("import nothing_of_this_name")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("own_designs")
def test_a_run_with_designs_of_a_users_own_file(fit, tiny_teacher: Path) -> None:
    argv = [f"{ARGS}.{option}=own_designs.{name}" for option, name in OPTIONS.items()]
    argv += [f"{ARGS}.projector=own_designs.OwnProjector", f"{ARGS}.projector.gain=2"]
    run = distil(fit, tiny_teacher, "two-in-one", *argv)
    curves = pd.read_csv(run / "metrics.csv")
    assert set(curves["grad/weight_frequency"].dropna()) == {0.75}
    scores = (run / "scores.csv").read_bytes()
    main(["test", f"-c={run / 'config.yaml'}", f"--ckpt_path={checkpoint(run)}"])
    assert (run / "scores.csv").read_bytes() == scores
    weight = load_detector(checkpoint(run)).state_dict()[
        "student.branch.backbone.model.conv1.0.weight"
    ]
    assert isinstance(weight, torch.Tensor)
    assert weight.shape[1] == 1  # the front-end's own number of channels


@pytest.mark.usefixtures("own_designs")
@pytest.mark.parametrize("option", [*OPTIONS, "projector"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("own_designs.Missing", "Missing"),
        ("nowhere.Own", "nowhere"),
        ("broken_designs.Own", "broken_designs.Own"),
        ("own_designs.torch", "own_designs.torch"),
    ],
)
def test_a_wrong_class_path_is_refused_in_one_line(
    option: str, path: str, expected: str, fit, tiny_teacher: Path, tmp_path: Path, capsys
) -> None:
    argv = [f"{ARGS}.{option}={path}"]
    line = mistake(lambda: distil(fit, tiny_teacher, "two-in-one", *argv), capsys)
    assert expected in line
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("own_designs")
def test_a_class_of_another_kind_names_the_one_expected(fit, tiny_teacher: Path, capsys) -> None:
    argv = [f"{ARGS}.homogenization.weighting=own_designs.OwnFrontEnd"]
    line = mistake(lambda: distil(fit, tiny_teacher, "two-in-one", *argv), capsys)
    assert "not a subclass of lightning_modules.homogenization.base.Weighting" in line
