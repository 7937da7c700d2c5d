"""The options of a distillation, set on the command line."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from cli.main import main
from lightning_modules import projectors
from lightning_modules.losses import DISTANCES
from tests.support.runs import checkpoint, distil, mistake, results

ARGS = "--model.init_args"
HOMOGENIZATION = f"{ARGS}.homogenization"
RUNGS = ("pkt", "rkd", "sp")  # distances with a rung, which tests/training/test_training.py runs
NARROW = {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]}  # a ConvNeXt for tests


@pytest.mark.parametrize(
    "argv",
    [
        *([f"{ARGS}.distance={name}"] for name in DISTANCES if name not in RUNGS),
        *(
            [f"{ARGS}.projector=lightning_modules.projectors.{name}"]
            for name in projectors.__all__
            if name not in ("Projector", "ProjectorFactory", "Identity", "MLP")
        ),
        [f"{ARGS}.features=pooled"],
        [f"{ARGS}.stage=2"],
        [f"{ARGS}.stage=1", f"{ARGS}.features=pooled"],
        [f"{ARGS}.sharing=output"],
        [f"{ARGS}.targets=null", f"{ARGS}.logits.loss=hinton"],
        [f"{HOMOGENIZATION}.rotation_init=haar"],
        [f"{HOMOGENIZATION}.weighting=gradvac"],
    ],
    ids=lambda argv: argv[0].split("=")[0].rpartition(".")[2] + "=" + argv[0].rpartition(".")[2],
)
def test_every_choice_distils(argv: list[str], fit, tiny_teacher: Path) -> None:
    run = distil(fit, tiny_teacher, "two-in-one", *argv)
    losses = pd.read_csv(run / "metrics.csv")
    for target in ("spatial", "frequency"):
        column = losses[f"train/loss_{target}"].dropna()
        assert len(column)
        assert column.abs().max() < 100


def test_a_classification_task_is_rotated_and_folded_into_the_student(
    fit, tiny_teacher: Path
) -> None:
    options = [f"{HOMOGENIZATION}.classification=true", f"{HOMOGENIZATION}.rotation_lr=5"]
    run = distil(fit, tiny_teacher, "two-in-one", *options)
    curves = pd.read_csv(run / "metrics.csv")
    assert {"grad/norm_classification", "grad/cosine_spatial_frequency"} <= set(curves)
    rotation = torch.load(checkpoint(run), weights_only=True)["state_dict"][
        "distillation.homogenizer.rotations"
    ][0]
    assert (rotation - torch.eye(len(rotation))).abs().max() > 0.1  # otherwise folding does nothing
    rotated = pd.read_csv(run / "scores.csv")["score"]
    main(["test", f"-c={run / 'config.yaml'}", f"--ckpt_path={checkpoint(run)}"])
    folded = pd.read_csv(run / "scores.csv")["score"]
    pd.testing.assert_series_equal(folded, rotated, rtol=1e-4)


def test_all_branches_of_a_teacher_with_three_are_distilled(fit, tmp_path: Path) -> None:
    tiny = {"name": "resnet10t", "args": {"channels": [8, 8, 8, 16], "stem_width": 8}}
    branches = {
        "spatial": {**tiny, "front_end": "rgb"},
        "frequency": {**tiny, "front_end": "lfs"},
        "noise": {**tiny, "front_end": "srm"},
    }
    teacher = fit(
        ("teacher/mini",),
        f"{ARGS}.branches={branches}",
        f"{ARGS}.fusion=gated_sum",
        folder=tmp_path / "teacher",
    )
    assert set(results(teacher)["branches"]) == set(branches)
    run = distil(fit, teacher, "two-in-one", f"{ARGS}.targets=null", folder=tmp_path / "student")
    curves = pd.read_csv(run / "metrics.csv")
    assert {f"grad/norm_{name}" for name in branches} <= set(curves)
    assert {"grad/cosine_spatial_noise", "grad/conflict_frequency_noise"} <= set(curves)


def test_a_teacher_that_names_the_methods_is_distilled(fit, tmp_path: Path) -> None:
    naming = f"{ARGS}.naming_weight=0.5"
    teacher = fit(("teacher/mini",), naming, folder=tmp_path / "teacher")
    assert "train/loss_naming_frequency" in pd.read_csv(teacher / "metrics.csv")
    distil(fit, teacher, "two-in-one", folder=tmp_path / "student")


def test_the_monitor_logs_norms_weights_and_cosines(fit, tiny_teacher: Path) -> None:
    curves = pd.read_csv(distil(fit, tiny_teacher, "two-in-one") / "metrics.csv")
    for target in ("spatial", "frequency"):
        assert (curves[f"grad/norm_{target}"].dropna() > 0).all()
    alphas = curves["grad/alpha_spatial"] + curves["grad/alpha_frequency"]
    assert (alphas.dropna() - 1).abs().max() < 1e-5
    assert curves["grad/cosine"].dropna().between(-1, 1).all()
    assert curves["grad/conflict"].dropna().between(0, 1).all()
    assert curves["grad/rotation_drift"].dropna().max() < 1e-5


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([f"{ARGS}.targets=[spatial,frequncy]"], "did you mean frequency"),
        ([f"{HOMOGENIZATION}.weighting=rotogrda"], "did you mean rotograd"),
        ([f"{ARGS}.projector=lightning_modules.projectors.Identity"], "equal widths"),
        ([f"{ARGS}.projector=lightning_modules.projectors.Linaer"], "Linaer"),
        (["--data.image_size=32"], "a teacher for images of 64 px"),
        ([f"{ARGS}.stage=7"], "out of range for resnet10t (0-4)"),
        ([f"{ARGS}.stage=1", f"{HOMOGENIZATION}.classification=true"], "use one of the two"),
        ([f"{ARGS}.features=pooled", f"{ARGS}.distance=attention_transfer"], "features: map"),
        ([f"{ARGS}.learning_rate=-1"], "learning_rate is -1.0: expected a number above 0"),
        ([f"{ARGS}.learning_rate=0"], "learning_rate is 0.0"),
        ([f"{ARGS}.learning_rate=.nan"], "learning_rate is nan"),
        ([f"{ARGS}.weight_decay=-0.1"], "weight_decay is -0.1: expected a number at least 0"),
        ([f"{ARGS}.warmup=5"], "warmup is 5.0: expected a number at least 0 and at most 1"),
        ([f"{ARGS}.warmup=-0.1"], "warmup is -0.1"),
        ([f"{ARGS}.accumulate=0"], "accumulate is 0: expected a number at least 1"),
        ([f"{ARGS}.gradient_clip=0"], "gradient_clip is 0.0: expected a number above 0"),
        ([f"{ARGS}.distillation_weight=-1"], "distillation_weight is -1.0"),
        (
            [f"{ARGS}.distillation_weight={{spatial: 1.0}}"],
            "distillation_weight names spatial, but the targets are spatial, frequency",
        ),
        ([f"{ARGS}.logits.temperature=0"], "logits.temperature is 0.0"),
        ([f"{ARGS}.logits.weight=-1"], "logits.weight is -1.0"),
        ([f"{ARGS}.logits.loss=hintn"], "did you mean hinton"),
        ([f"{HOMOGENIZATION}.rotation_interval=0"], "homogenization.rotation_interval is 0"),
        ([f"{HOMOGENIZATION}.rotation_lr=-1"], "homogenization.rotation_lr is -1.0"),
        ([f"{HOMOGENIZATION}.burn_in=-1"], "homogenization.burn_in is -1"),
        ([f"{ARGS}.frozen_teacher.limit_gb=-1"], "frozen_teacher.limit_gb is -1.0"),
        ([f"{ARGS}.teacher=null"], "needs `model.init_args.teacher`"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_written(
    argv: list[str], expected: str, fit, tiny_teacher: Path, tmp_path: Path, capsys
) -> None:
    run = tmp_path / "run"
    line = mistake(lambda: distil(fit, tiny_teacher, "two-in-one", *argv, folder=run), capsys)
    assert expected in line
    assert not run.exists()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([f"{ARGS}.branches={{}}"], "branches is empty"),
        ([f"{ARGS}.auxiliary_weight=-1"], "auxiliary_weight is -1.0"),
        ([f"{ARGS}.naming_weight=-1"], "naming_weight is -1.0"),
        ([f"{ARGS}.num_methods=0"], "num_methods is 0"),
        ([f"{ARGS}.naming_weight=0.5", f"{ARGS}.num_methods=3"], "NeuralTextures: raise it"),
        ([f"{ARGS}.fusion=gatedsum"], "did you mean gated_sum"),
        ([f"{ARGS}.ema=1"], "ema is 1.0: expected a number above 0 and below 1"),
    ],
)
def test_a_mistake_in_a_teacher_is_refused_before_anything_is_written(
    argv: list[str], expected: str, fit, tmp_path: Path, capsys
) -> None:
    run = tmp_path / "run"
    assert expected in mistake(lambda: fit(("teacher/mini",), *argv, folder=run), capsys)
    assert not run.exists()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("missing", "no such file"),
        ("cut short", "cut short or damaged"),
        ("a student's", "a checkpoint of DistillModule, expected one of TeacherModule"),
        ("another program's", "expected a checkpoint of this project"),
        ("another version's", "a checkpoint of another version"),
    ],
)
def test_a_wrong_teacher_is_refused_before_anything_is_written(
    fault: str, expected: str, fit, tiny_teacher: Path, tmp_path: Path, capsys
) -> None:
    teacher = shutil.copytree(tiny_teacher, tmp_path / "teacher")
    if fault == "missing":
        checkpoint(teacher).unlink()
    elif fault == "cut short":
        checkpoint(teacher).write_bytes(checkpoint(teacher).read_bytes()[:5000])
    elif fault == "a student's":
        student = distil(fit, tiny_teacher, "student", folder=tmp_path / "student")
        shutil.copy(checkpoint(student), checkpoint(teacher))
    elif fault == "another program's":
        torch.save({"state_dict": {}}, checkpoint(teacher))
    else:
        saved = torch.load(checkpoint(teacher), weights_only=True)
        saved["hyper_parameters"]["mix_stages"] = []
        torch.save(saved, checkpoint(teacher))
    run = tmp_path / "run"
    line = mistake(lambda: distil(fit, teacher, "two-in-one", folder=run), capsys)
    assert str(checkpoint(teacher)) in line
    assert expected in line
    assert not run.exists()


@pytest.mark.parametrize("method", ["spatial", "naive", "shared-trunk", "dedicated"])
def test_every_rung_has_the_same_total_weight(method: str, fit, tiny_teacher: Path) -> None:
    run = distil(fit, tiny_teacher, method, f"{ARGS}.distillation_weight=3")
    logged = pd.read_csv(run / "metrics.csv")
    targets = ["spatial"] if method == "spatial" else ["spatial", "frequency"]
    # The distance of normalized features is 2 - 2 cos, about 2 before any training.
    first = logged[[f"train/loss_{target}" for target in targets]].dropna().iloc[0]
    assert first.sum() == pytest.approx(3 * 2, rel=0.3)
    assert first.max() < 1.3 * first.min()


def test_the_weight_of_each_target_can_be_given(fit, tiny_teacher: Path) -> None:
    weights = "{spatial: 3.0, frequency: 1.0}"
    run = distil(fit, tiny_teacher, "dedicated", f"{ARGS}.distillation_weight={weights}")
    first = pd.read_csv(run / "metrics.csv").iloc[0]
    ratio = first["train/loss_spatial"] / first["train/loss_frequency"]
    assert ratio == pytest.approx(3, rel=0.3)


@pytest.mark.parametrize(("accumulate", "steps"), [(1, 4), (2, 2), (3, 2)])
def test_an_accumulated_step_is_weighed_once(
    accumulate: int, steps: int, fit, tiny_teacher: Path
) -> None:
    run = distil(fit, tiny_teacher, "two-in-one", f"{ARGS}.accumulate={accumulate}")
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == steps
    state = saved["state_dict"]
    assert int(state["distillation.homogenizer.weighting.calls"]) == steps
    assert state["distillation.homogenizer._extra_state"]["rotation_steps"] == steps
    assert saved["lr_schedulers"][0]["last_epoch"] == steps


def test_accumulated_batches_are_one_large_one(fit, tiny_teacher: Path, tmp_path: Path) -> None:
    """Without batch statistics; in float64, as AdamW multiplies the rounding of small gradients."""
    frozen = [f"{ARGS}.student.name=convnext_atto", f"{ARGS}.student.args={NARROW}"]
    frozen += [f"{HOMOGENIZATION}.weighting=sum", f"{ARGS}.projector.class_path=Linear"]
    frozen += ["--data.augmentation=none", "--trainer.limit_train_batches=4"]
    frozen += ["--trainer.precision=64-true"]
    states = []
    for name, argv in {
        "large": ["--data.batch_size=4", "--trainer.limit_train_batches=2"],
        "accumulated": ["--data.batch_size=2", f"{ARGS}.accumulate=2"],
    }.items():
        run = distil(fit, tiny_teacher, "shared-trunk", *frozen, *argv, folder=tmp_path / name)
        last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
        states.append(last["state_dict"])
    for name, value in states[0].items():
        if name.startswith("student"):
            torch.testing.assert_close(value, states[1][name], rtol=1e-9, atol=1e-9)


def test_gradients_are_clipped(fit, tiny_teacher: Path, tmp_path: Path) -> None:
    """AdamW's second moment is the square of the clipped gradient."""
    norms = []
    for name, argv in (("free", []), ("clipped", [f"{ARGS}.gradient_clip=0.001"])):
        run = distil(
            fit,
            tiny_teacher,
            "two-in-one",
            "--trainer.limit_train_batches=1",
            *argv,
            folder=tmp_path / name,
        )
        last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
        moments = [s["exp_avg_sq"].sum() for s in last["optimizer_states"][0]["state"].values()]
        norms.append((torch.stack(moments).sum() / (1 - 0.999)).sqrt().item())
    assert norms[0] > 0.01
    assert norms[1] == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize(
    ("setting", "ours"),
    [("accumulate_grad_batches=2", "accumulate"), ("gradient_clip_val=1", "gradient_clip")],
)
def test_lightnings_own_switches_name_ours(setting: str, ours: str, fit, capsys) -> None:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        fit(("student/mini", "methods/student"), f"--trainer.{setting}")
    assert f"model.init_args.{ours}" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["student", "two-in-one"])
def test_a_loss_that_is_not_finite_stops_the_run(
    method: str, fit, tiny_teacher: Path, capsys
) -> None:
    line = mistake(lambda: distil(fit, tiny_teacher, method, f"{ARGS}.learning_rate=1e18"), capsys)
    assert "at step" in line
    assert "mini-FaceForensics++/" in line
    assert ("gradient norms: spatial" in line) == (method == "two-in-one")


@pytest.mark.parametrize("method", ["student", "two-in-one"])
def test_a_resumed_run_is_the_uninterrupted_one_to_the_bit(
    method: str, fit, tiny_teacher: Path, tmp_path: Path
) -> None:
    """Interrupted in the middle of the schedule, which depends on the length of the whole run."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    longer = ["--trainer.max_epochs=4", f"{HOMOGENIZATION}.burn_in=6"]
    longer.append("--trainer.limit_train_batches=3")
    distil(fit, tiny_teacher, method, *longer, folder=whole)
    stop = ["--trainer.callbacks+=tests.support.runs.StopAfterEpoch"]
    distil(fit, tiny_teacher, method, *longer, *stop, "--run.test=false", folder=parts)
    last = parts / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["epoch"] == 1
    distil(fit, tiny_teacher, method, *longer, f"--ckpt_path={last}", folder=parts)
    first, second = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (whole, parts)
    )
    for name, value in first["state_dict"].items():
        same = value == second["state_dict"][name]
        assert same.all() if isinstance(same, torch.Tensor) else same, name
    assert (whole / "scores.csv").read_bytes() == (parts / "scores.csv").read_bytes()
