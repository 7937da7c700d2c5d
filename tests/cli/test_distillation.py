"""What a researcher varies of the distillation, each by its name on the command line."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from cli.main import main
from lightning_modules import projectors
from lightning_modules.losses import DISTANCES
from tests.cli.runs import checkpoint, distil, results

ARGS = "--model.init_args"
HOMOGENIZATION = f"{ARGS}.homogenization"


@pytest.mark.parametrize(
    "words",
    [
        *([f"{ARGS}.distance={name}"] for name in DISTANCES),
        *(
            [f"{ARGS}.projector=lightning_modules.projectors.{name}"]
            for name in projectors.__all__
            if name not in ("Projector", "ProjectorFactory", "Identity", "MLP")
        ),
        [f"{ARGS}.features=pooled"],
        [f"{ARGS}.sharing=output"],
        [f"{ARGS}.targets=null", f"{ARGS}.logits.loss=decoupled"],
        [f"{HOMOGENIZATION}.rotation_init=haar"],
        [f"{HOMOGENIZATION}.weighting=gradvac"],
    ],
    ids=lambda words: words[0].split("=")[0].rpartition(".")[2] + "=" + words[0].rpartition(".")[2],
)
def test_every_choice_distils(words: list[str], fit, tiny_teacher: Path) -> None:
    run = distil(fit, tiny_teacher, "two-in-one", *words)
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
        "homogenizer.rotations"
    ][0]
    assert (rotation - torch.eye(len(rotation))).abs().max() > 0.1  # there is something to fold
    rotated = pd.read_csv(run / "scores.csv")["score"]
    main(["test", f"-c={run / 'config.yaml'}", f"--ckpt_path={checkpoint(run)}"])
    folded = pd.read_csv(run / "scores.csv")["score"]
    pd.testing.assert_series_equal(folded, rotated, rtol=1e-4)


def test_a_teacher_of_three_mixed_branches_teaches_all(fit, tmp_path: Path) -> None:
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


def test_the_monitor_logs_what_the_paper_argues_from(fit, tiny_teacher: Path) -> None:
    curves = pd.read_csv(distil(fit, tiny_teacher, "two-in-one") / "metrics.csv")
    for target in ("spatial", "frequency"):
        assert (curves[f"grad/norm_{target}"].dropna() > 0).all()
    alphas = curves["grad/alpha_spatial"] + curves["grad/alpha_frequency"]
    assert (alphas.dropna() - 1).abs().max() < 1e-5
    assert curves["grad/cosine"].dropna().between(-1, 1).all()
    assert curves["grad/conflict"].dropna().between(0, 1).all()
    assert curves["grad/rotation_drift"].dropna().max() < 1e-5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([f"{ARGS}.targets=[spatial,frequncy]"], "did you mean frequency"),
        ([f"{HOMOGENIZATION}.weighting=rotogrda"], "did you mean rotograd"),
        ([f"{ARGS}.projector=lightning_modules.projectors.Identity"], "equal widths"),
        ([f"{ARGS}.projector=lightning_modules.projectors.Linaer"], "Linaer"),
        (["--data.image_size=96"], "a teacher for 64 px"),
        ([f"{ARGS}.features=pooled", f"{ARGS}.distance=attention_transfer"], "features: map"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    words: list[str], expected: str, fit, tiny_teacher: Path, capsys
) -> None:
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        distil(fit, tiny_teacher, "two-in-one", *words)
    assert exit_.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 1, lines
    assert expected in lines[0]


@pytest.mark.parametrize("fault", ["missing", "cut short", "a student's"])
def test_a_bad_teacher_is_told_in_one_line(
    fault: str, fit, tiny_teacher: Path, tmp_path: Path, capsys
) -> None:
    teacher = shutil.copytree(tiny_teacher, tmp_path / "teacher")
    if fault == "missing":
        checkpoint(teacher).unlink()
    elif fault == "cut short":
        checkpoint(teacher).write_bytes(checkpoint(teacher).read_bytes()[:5000])
    else:
        student = distil(fit, tiny_teacher, "student", folder=tmp_path / "student")
        shutil.copy(checkpoint(student), checkpoint(teacher))
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        distil(fit, teacher, "two-in-one", folder=tmp_path / "run")
    assert exit_.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 1, lines
    assert "checkpoint of TeacherModule" in lines[0]
