"""Teachers of other sources, and several of them: the code of docs/distil-your-own.md."""

import re
import sys
from itertools import combinations
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from errors import InputError
from lightning_modules.checkpoints import load_detector
from lightning_modules.frozen_teacher import FrozenTeacher, FrozenTeacherSpec
from lightning_modules.networks.timm_models import BackboneSpec
from lightning_modules.teachers import TeacherSpec, check_teachers, load_teacher
from tests.support.runs import checkpoint, mistake

ARGS = "--model.init_args"
MINE = "my_teacher.MyTeacher"
MODELS = ("student/mini", "methods/two-in-one")
PAGE = Path(__file__).parents[2] / "docs" / "distil-your-own.md"
BLOCKS = dict(re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL))


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the page, with the weights that they name, in the working folder."""
    for name, code in BLOCKS.items():
        (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in ("my_teacher", "my_distillation"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    from my_teacher import MyTeacher  # type: ignore[import-not-found]

    save_file(MyTeacher().state_dict(), tmp_path / "mine.safetensors")
    vit = timm.create_model("test_vit", num_classes=2)
    save_file(vit.state_dict(), tmp_path / "vit.safetensors")
    return tmp_path


@pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning")
@pytest.mark.usefixtures("page")
def test_the_pages_lightning_module_distils() -> None:
    from my_distillation import distil  # type: ignore[import-not-found]
    from my_teacher import MyTeacher

    teacher = MyTeacher()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    images, labels = torch.rand(16, 3, 64, 64), torch.arange(16) % 10
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    off = {"enable_checkpointing": False, "accelerator": "cpu", **quiet}
    model = distil(images, labels, teacher, max_epochs=1, **off)
    assert model.homogenizer.last.gramian.shape == (2, 2)
    assert (model.homogenizer.rotations - torch.eye(32)).abs().max() > 1e-4
    assert not any(name.startswith("teacher") for name in model.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


@pytest.mark.usefixtures("page")
def test_the_pages_teachers_distil_into_a_student(fit, tmp_path: Path) -> None:
    """Three branches of two teachers, one with a logit, cached; the checkpoint needs neither."""
    weights = "{mine.image: 1.0, mine.edges: 1.0, vit.map: 2.0}"
    run = fit(
        MODELS,
        f"-c={tmp_path / 'my_teachers.yaml'}",
        f"{ARGS}.logits.loss=hinton",
        f"{ARGS}.distillation_weight={weights}",
        f"{ARGS}.frozen_teacher.cache=on",
        f"{ARGS}.frozen_teacher.folder={tmp_path / 'caches'}",
        "--data.views=1",
        "--trainer.max_epochs=2",
    )
    cached = {path.stem for path in tmp_path.glob("caches/*/*.npy")}
    assert cached >= {"mine.image", "mine.edges", "vit.map", "logit"}
    curves = pd.read_csv(run / "metrics.csv")
    assert {"train/loss_vit.map", "grad/norm_mine.edges", "train/loss_logit"} <= set(curves)
    (tmp_path / "mine.safetensors").unlink()
    load_detector(checkpoint(run))


def test_a_timm_teachers_logit_is_that_of_the_whole_model(tmp_path: Path) -> None:
    whole = timm.create_model("test_vit", num_classes=2, img_size=80).eval()
    save_file(whole.state_dict(), tmp_path / "vit.safetensors")
    source = TeacherSpec(
        backbone=BackboneSpec("test_vit", input_size=80), weights=str(tmp_path / "vit.safetensors")
    )
    teacher = load_teacher(source, 64, None)
    images = torch.rand(2, 3, 64, 64)
    maps, logit = teacher.compute(images, ["map"], logit=True)
    resized = torch.nn.functional.interpolate(images, (80, 80), mode="bilinear")
    classes = whole((resized - 0.5) / 0.5)
    torch.testing.assert_close(logit, classes[:, 1] - classes[:, 0], rtol=1e-4, atol=1e-4)
    assert maps["map"].shape == (2, teacher.widths["map"], 5, 5)


def test_targets_of_a_timm_teacher_are_cached_by_the_content_of_its_weights(tmp_path: Path) -> None:
    fingerprints = []
    for name in ("first", "second"):
        file = str(tmp_path / f"{name}.safetensors")
        save_file(timm.create_model("test_vit", num_classes=2).state_dict(), file)
        args = {"pretrained_cfg_overlay": {"file": file}}
        named = TeacherSpec(backbone=BackboneSpec("test_vit", pretrained=True, args=args))
        given = TeacherSpec(backbone=BackboneSpec("test_vit"), weights=file)
        same = [load_teacher(spec, 64, None).fingerprint for spec in (named, given)]
        assert same[0] == same[1]
        fingerprints.append(same[0])
    overlay = {**args["pretrained_cfg_overlay"], "mean": [0.0, 0.0, 0.0]}
    other = BackboneSpec("test_vit", pretrained=True, args={"pretrained_cfg_overlay": overlay})
    fingerprints.append(load_teacher(TeacherSpec(backbone=other), 64, None).fingerprint)
    assert all(one != another for one, another in combinations(fingerprints, 2))


def test_a_resumed_distillation_of_a_vit_is_the_uninterrupted_one_to_the_bit(
    vit_and_mobilenet: list[str], fit, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    argv = [*vit_and_mobilenet, "--trainer.max_epochs=3", "--trainer.limit_train_batches=2"]
    argv += ["--trainer.limit_val_batches=1", "--run.test=false"]
    fit(MODELS, *argv, folder=whole)
    fit(MODELS, *argv, "--trainer.callbacks+=tests.support.runs.StopAfterEpoch", folder=parts)
    fit(MODELS, *argv, f"--ckpt_path={parts / 'checkpoints' / 'last.ckpt'}", folder=parts)
    first, second = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (whole, parts)
    )
    for name, value in first.items():
        assert not isinstance(value, Tensor) or torch.equal(value, second[name]), name


def frozen(teachers: dict[str, TeacherSpec], **options: Any) -> FrozenTeacher:
    whole = {"targets": None, "logit": False, "stage": None, "pooled": False, **options}
    return FrozenTeacher(check_teachers(None, teachers), FrozenTeacherSpec(), 64, **whole)


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"module": MINE, "args": {"name": "resnet"}}, "Unknown model"),
        ({"module": MINE, "args": {"nmae": "x"}}, "nmae"),
        ({"module": "my_teacher.timm"}, "not a subclass of torch.nn"),
        ({"module": "torch.nn.Identity"}, "gives no maps"),
        ({"module": MINE, "weights": "nowhere.safetensors"}, "nowhere"),
        ({"module": MINE, "weights": "vit.safetensors"}, "cannot be built"),
        ({"backbone": BackboneSpec("test_vit")}, "a teacher without weights"),
        ({"backbone": BackboneSpec("resnet10t"), "weights": "vit.safetensors"}, "not weights of"),
        ({"backbone": BackboneSpec("test_vti"), "weights": "vit.safetensors"}, "did you mean"),
        ({}, "expected one of checkpoint, backbone and module"),
        ({"checkpoint": "a.ckpt", "module": "b.C"}, "expected one of"),
        ({"checkpoint": "a.ckpt", "weights": "b.pth"}, "leave weights out"),
        ({"checkpoint": "nowhere.ckpt"}, "nowhere.ckpt"),
    ],
)
def test_a_wrong_teacher_is_refused_in_one_line(spec: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected) as refusal:
        frozen({"own": TeacherSpec(**spec)})
    assert "\n" not in str(refusal.value)


def test_a_module_without_logits_as_a_tensor_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        from torch import nn
        class Listed(nn.Module):
            def forward(self, images):
                return {"image": images}, [0.0]
    """
    (tmp_path / "listed.py").write_text(dedent(code))
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"its forward must return .* and logits \[B\]"):
        frozen({"own": TeacherSpec(module="listed.Listed")})


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"targets": ["own.imgae"]}, "did you mean own.image"),
        ({"stage": 2}, "no stages of timm"),
        ({"logit": True}, "no logit of being fake"),
    ],
)
def test_what_a_module_does_not_give_is_refused(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        frozen({"own": TeacherSpec(module=MINE)}, **options)


def test_a_mistake_in_teachers_leaves_nothing_behind(fit, tmp_path: Path, capsys) -> None:
    argv = [f"{ARGS}.teacher=a.ckpt", f"{ARGS}.teachers={{own: {{module: a.B}}}}"]
    line = mistake(lambda: fit(MODELS, *argv), capsys)
    assert "both teacher and teachers" in line
    assert not (tmp_path / "run").exists()
