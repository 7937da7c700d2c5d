import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file

from cli.main import main
from lightning_modules.distill import DistillModule
from lightning_modules.teacher import TeacherModule
from tests.support.processes import complete
from tests.support.runs import checkpoint, distil, mistake, results
from tests.training.test_resume import argv_of

CONFIGS = Path(__file__).parents[2] / "configs"
METHODS = sorted(path.stem for path in (CONFIGS / "methods").glob("*.yaml"))
IN_DOMAIN = "mini-FaceForensics++ c23/test"
ACROSS = "mini-Celeb-DF-v2 release/test"


def test_a_run_leaves_the_documented_files(tiny_teacher: Path) -> None:
    left = {path.name for path in tiny_teacher.iterdir()}
    assert left >= {
        "config.yaml", "metrics.csv", "checkpoints", "provenance.json", "results.json", "scores.csv"
    }  # fmt: skip
    run = results(tiny_teacher)
    assert run["run"]["name"] == "teacher-seed0"
    assert run["protocol"]["selected_on"] == "mini-FaceForensics++/val video_auc"
    assert set(run["metrics"]) == {IN_DOMAIN, ACROSS}
    by_method = run["metrics"][IN_DOMAIN]["by_method"]
    assert set(by_method) == {"Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"}
    assert run["branches"].keys() == {"spatial", "frequency"}
    curves = pd.read_csv(tiny_teacher / "metrics.csv")
    assert {"train/loss", "val/video_auc", "val/spatial/video_auc"} <= set(curves)
    provenance = json.loads((tiny_teacher / "provenance.json").read_text())
    assert provenance["seed"] == 0
    assert len(provenance["data_manifest_sha256"]) == 64


def test_every_test_frame_is_scored_once_and_videos_are_kept_apart(
    tiny_teacher: Path, tiny_crops: Path
) -> None:
    scores = pd.read_csv(tiny_teacher / "scores.csv", dtype={"video": str})
    crops = pd.read_parquet(tiny_crops / "manifest.parquet")
    key = ["dataset", "compression", "method", "video", "frame"]
    tested = crops[crops["split"] == "test"]
    assert sorted(map(tuple, scores[key].to_numpy())) == sorted(map(tuple, tested[key].to_numpy()))
    overall = results(tiny_teacher)["metrics"][IN_DOMAIN]["overall"]["video"]
    assert (overall["real"], overall["fake"]) == (2, 8)  # four fakes share a name, but no key


def test_the_saved_config_runs_again_to_the_same_weights(
    tiny_teacher: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    main(["fit", f"-c={tiny_teacher / 'config.yaml'}", f"--run.dir={again}"])
    first, second = (
        torch.load(checkpoint(run), weights_only=True)["state_dict"]
        for run in (tiny_teacher, again)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert results(again)["run"]["config_hash"] == results(tiny_teacher)["run"]["config_hash"]


@pytest.mark.parametrize("method", METHODS)
def test_every_rung_of_the_ladder_runs(method: str, fit, tiny_teacher: Path) -> None:
    run = distil(fit, tiny_teacher, method)
    assert results(run)["run"]["method"] == method
    assert 10 * results(run)["model"]["params"] < results(tiny_teacher)["model"]["params"]
    curves = pd.read_csv(run / "metrics.csv")
    one_task = ("student", "student-frequency", "logit", "dist", "spatial", "frequency")
    assert ("grad/cosine" in curves) == (method not in one_task)


def test_all_rungs_start_from_the_same_student(fit, tiny_teacher: Path, tmp_path: Path) -> None:
    starts = []
    for method in ("student", "two-in-one"):
        run = distil(
            fit,
            tiny_teacher,
            method,
            "--model.init_args.learning_rate=1e-30",
            folder=tmp_path / method,
        )
        state = torch.load(checkpoint(run), weights_only=True)["state_dict"]
        starts.append({k: v for k, v in state.items() if "weight" in k and "student" in k})
    torch.testing.assert_close(*starts)


def test_distilling_moves_the_rotations_and_leaves_the_teacher(fit, tiny_teacher: Path) -> None:
    before = checkpoint(tiny_teacher).read_bytes()
    run = distil(fit, tiny_teacher, "two-in-one")
    assert checkpoint(tiny_teacher).read_bytes() == before
    saved = torch.load(checkpoint(run), weights_only=True)
    assert not any(name.startswith("teacher.") for name in saved["state_dict"])
    rotations = saved["state_dict"]["distillation.homogenizer.rotations"]
    identity = torch.eye(rotations.shape[-1])
    assert (rotations - identity).abs().max() > 1e-6
    torch.testing.assert_close(rotations.mT @ rotations, identity.expand_as(rotations))
    # One optimizer, so a step counts once.
    assert saved["global_step"] == 4


def test_the_teacher_stays_in_evaluation_mode_and_frozen(
    fit, tiny_teacher: Path, tiny_crops
) -> None:
    run = distil(fit, tiny_teacher, "two-in-one")
    given = {"teacher": str(checkpoint(tiny_teacher)), "weights_only": True}
    module = DistillModule.load_from_checkpoint(checkpoint(run), **given)
    module.setup("fit")
    module.train()
    assert module.student.training
    (teacher,) = module.teacher.teachers.values()
    assert not any(part.training for part in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())


def test_a_student_is_tested_without_its_teacher(fit, tiny_teacher: Path, tmp_path: Path) -> None:
    teacher = shutil.copytree(tiny_teacher, tmp_path / "teacher")
    run = distil(fit, teacher, "two-in-one")
    scores, first = (run / "scores.csv").read_bytes(), results(run)
    shutil.rmtree(teacher)
    (run / "results.json").unlink()
    curves = (run / "metrics.csv").read_bytes()
    main(["test", f"-c={run / 'config.yaml'}", f"--ckpt_path={checkpoint(run)}"])
    assert (run / "metrics.csv").read_bytes() == curves
    assert (run / "scores.csv").read_bytes() == scores
    assert results(run) == first


def test_a_checkpoint_loads_without_running_code(tiny_teacher: Path) -> None:
    teacher = TeacherModule.load(checkpoint(tiny_teacher))
    probability = teacher(torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8))
    assert probability.shape == (2,)


def test_a_checkpoint_loads_without_its_pretrained_weights(fit, tmp_path: Path) -> None:
    size = {"channels": [16, 32, 64, 128], "stem_width": 16}
    weights = tmp_path / "imagenet.safetensors"
    save_file(timm.create_model("resnet10t", **size).state_dict(), weights)
    args = size | {"pretrained_cfg_overlay": {"file": str(weights)}}
    branch = "--model.init_args.branches.spatial"
    argv = [f"{branch}.pretrained=true", f"{branch}.args={json.dumps(args)}"]
    run = fit(("teacher/mini",), *argv)
    weights.unlink()
    loaded = TeacherModule.load(checkpoint(run)).state_dict()
    saved = torch.load(checkpoint(run), weights_only=True)["state_dict"]
    torch.testing.assert_close(loaded, saved, rtol=0, atol=0)
    scores = (run / "scores.csv").read_bytes()
    main(["test", f"-c={run / 'config.yaml'}", f"--ckpt_path={checkpoint(run)}"])
    assert (run / "scores.csv").read_bytes() == scores
    (run / "results.json").unlink()
    fit(("teacher/mini",), *argv, "--trainer.max_epochs=2", "--run.resume=auto")


def test_a_checkpoint_given_by_path_is_continued(fit, tmp_path: Path) -> None:
    configs = ("student/mini", "methods/student")
    run = fit(configs, "--trainer.max_epochs=1", "--run.test=false")
    last = run / "checkpoints" / "last.ckpt"
    fit(configs, "--trainer.max_epochs=2", f"--ckpt_path={last}")
    assert torch.load(last, weights_only=True)["global_step"] == 8


def test_two_processes_score_every_frame_once(tiny_crops: Path, tmp_path: Path) -> None:
    """A real two-process DDP run of the distillation, from the command line to the results."""
    runs = alone, together = tmp_path / "alone", tmp_path / "together"
    configs = ["student/mini", "methods/student"]
    argv = ["--trainer.max_epochs=1", "--run.test=true", "--trainer.strategy=ddp_fork"]
    for run, devices in ((alone, 1), (together, 2)):
        given = argv_of(run, tiny_crops, configs, *argv, f"--trainer.devices={devices}")
        complete(given, run.with_suffix(".log"))
    key = ["dataset", "method", "video", "frame"]
    tables = [pd.read_csv(run / "scores.csv")[key] for run in runs]
    pd.testing.assert_frame_equal(*tables)
    steps = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
        for run in runs
    ]
    assert steps == [4, 4]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--model.init_args.student.name=resnet10"], "resnet10t"),
        (["--data.wrokers=1"], "wrokers"),
        (["--model.init_args.learning_rat=1"], "learning_rat"),
        (["--data.batch_size=3"], "multiple of 2"),
        (["--data.batch_size=400"], "lower it"),
        (["--data.crops=nowhere"], "nowhere"),
        (["--data.compression=c40"], "c40"),
        (["--data.methods=[DeepFakes]"], "DeepFakes"),
        (["--model.init_args.targets=[spatial]"], "teacher"),
        (["--model.init_args.distance=cosin"], "did you mean cosine"),
        (["--model.init_args.logits.loss=hintn"], "did you mean hinton"),
        (["--model.init_args.student.front_end=rbg"], "did you mean rgb"),
    ],
)
def test_a_mistake_is_one_line(fit, argv: list[str], expected: str, capsys) -> None:
    assert expected in mistake(lambda: fit(("student/mini", "methods/student"), *argv), capsys)


@pytest.mark.parametrize("setting", ["mini", "ffpp"])
@pytest.mark.parametrize("model", ["teacher", *METHODS])
def test_every_config_parses(setting: str, model: str, tiny_crops: Path, capsys) -> None:
    models = (
        [f"teacher/{setting}"] if model == "teacher" else [f"student/{setting}", f"methods/{model}"]
    )
    paths = [
        CONFIGS / f"{name}.yaml" for name in (f"data/{setting}", f"trainer/{setting}", *models)
    ]
    with pytest.raises(SystemExit) as exit_:
        main(["fit", *(f"-c={path}" for path in paths), "--print_config"])
    assert exit_.value.code == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["run"]["method"] == model
