"""From a test pass to results.json: what is chosen on validation, and how it is recorded."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from cli.main import main
from evaluation.comparison.run import read_run
from evaluation.metrics.aggregation import video_scores
from records.scores import read_scores
from tests.conftest import run_fit
from tests.support.runs import checkpoint, distil, refused, results

C23, C40 = "mini-FaceForensics++ c23/test", "mini-FaceForensics++ c40/test"
ACROSS, V1 = "mini-Celeb-DF-v2 release/test", "Celeb-DF-v1 release/test"
STUDENT = ("student/mini", "methods/student")


def score_again(run: Path, *argv: str) -> None:
    main(["test", f"-c={run / 'config.yaml'}", f"--ckpt_path={checkpoint(run)}", *argv])


@pytest.fixture(scope="module")
def everything(tiny_crops: Path, tiny_ffpp: Path, celeb_df_v1: Path, tmp_path_factory) -> Path:
    """The tiny crops, and those of c40 and of Celeb-DF v1 in the same store."""
    store = shutil.copytree(tiny_crops, tmp_path_factory.mktemp("both") / "crops")
    small = ["--frames_per_video=2", "--size=64", "--accelerator=cpu", "--num_workers=0"]
    for root in ([f"--root={tiny_ffpp}", "--compression=c40"], [f"--root={celeb_df_v1}"]):
        main(["extract", *root, f"--out={store}", *small])
    return store


@pytest.fixture(scope="module")
def trained(everything: Path, tmp_path_factory) -> dict[str, Path]:
    """Students trained on either compression and tested on both, by the trained one."""
    folder = tmp_path_factory.mktemp("cross")
    return {
        name: run_fit(
            everything, folder / name, STUDENT,
            f"--data.compression={name}", "--data.test_compressions=[c23,c40]",
        )
        for name in ("c23", "c40")
    }  # fmt: skip


def test_the_protocol_is_stamped(tiny_teacher: Path) -> None:
    run = results(tiny_teacher)
    assert run["protocol"] == {
        "dataset": "mini-FaceForensics++",
        "compression": "c23",
        "methods": ["Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"],
        "frames_per_video": 2,
        "crop_scale": 1.3,
        "crop_size": 64,
        "aggregation": "mean",
        "selected_on": "mini-FaceForensics++/val video_auc",
        "threshold": "highest balanced accuracy on mini-FaceForensics++ c23/val, for each level",
        "intervals": "95% over the test identities, logit scale",
    }
    assert run["run"]["test_passes"] == 1


def test_the_best_checkpoint_is_that_of_validation(fit) -> None:
    run = fit(STUDENT, "--trainer.max_epochs=3")
    curves = pd.read_csv(run / "metrics.csv")["val/video_auc"].dropna()
    validation = video_scores(read_scores(run / "scores-val.csv"))
    kept = roc_auc_score(validation["label"], validation["score"])
    assert kept == pytest.approx(curves.max(), abs=1e-6)


def test_the_schedule_ends_with_the_last_step_of_the_last_epoch(fit) -> None:
    watched = "--trainer.callbacks+=tests.support.runs.RowsOfEpochs"
    run = fit(STUDENT, "--trainer.max_epochs=3", "--run.test=false", watched)
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    schedule = saved["lr_schedulers"][0]
    assert saved["epoch"] == 2
    assert saved["global_step"] == 3 * 4 == schedule["last_epoch"]
    assert schedule["_last_lr"] == pytest.approx([0.0, 0.0])
    orders = [path.read_text() for path in sorted(run.glob("rows-*.txt"))]
    assert len(set(orders)) == len(orders) == 3


def test_thresholds_come_from_validation_and_never_from_the_test_split(trained) -> None:
    for run in trained.values():
        metrics = results(run)["metrics"]
        validation = {"frame": read_scores(run / "scores-val.csv")}
        validation["video"] = video_scores(validation["frame"])
        for level, table in validation.items():
            used = {metrics[test]["overall"][level]["threshold"] for test in metrics}
            assert len(used) == 1
            reached = balanced_accuracy_score(table["label"], table["score"] >= used.pop())
            sweep = [
                balanced_accuracy_score(table["label"], table["score"] >= t) for t in table["score"]
            ]
            assert reached == pytest.approx(max(sweep))


def test_a_run_is_tested_on_the_other_compression_and_the_other_data(trained) -> None:
    for compression, run in trained.items():
        assert results(run)["metrics"].keys() == {C23, C40, ACROSS, V1}
        validation = read_scores(run / "scores-val.csv")
        assert set(validation["compression"]) == {compression}
        assert read_run(run).in_domain == f"mini-FaceForensics++ {compression}/test"
        counts = results(run)["metrics"][V1]["overall"]["video"]
        assert (counts["real"], counts["fake"]) == (2, 4)


def test_another_compression_is_added_to_a_finished_run_and_counted(
    trained, everything: Path, tmp_path: Path, capsys
) -> None:
    run = run_fit(everything, tmp_path / "run", STUDENT)
    first = results(run)
    assert first["metrics"].keys() == {C23, ACROSS, V1}
    capsys.readouterr()
    score_again(run, "--data.test_compressions=[c23,c40]")
    assert "tested before" in capsys.readouterr().err
    again = results(run)
    assert again["run"]["test_passes"] == 2
    assert again["metrics"] == results(trained["c23"])["metrics"]
    assert again["metrics"][C23] == first["metrics"][C23]


def test_a_missing_compression_is_named(tiny_teacher: Path, capsys) -> None:
    before = (tiny_teacher / "results.json").read_bytes()
    argv = [
        "test",
        f"-c={tiny_teacher / 'config.yaml'}",
        f"--ckpt_path={checkpoint(tiny_teacher)}",
    ]
    assert "has no crop of c40, it has" in refused(
        [*argv, "--data.test_compressions=[c40]"], capsys
    )
    assert (tiny_teacher / "results.json").read_bytes() == before


def test_runs_of_two_compressions_are_compared_when_asked_to(trained, capsys) -> None:
    argv = ["compare", *(str(run) for run in trained.values()), f"--test={C40}"]
    line = refused(argv, capsys)
    assert "compression: c23 " in line
    assert "against c40 " in line
    main([*argv, "--any_protocol"])
    printed = capsys.readouterr().out
    assert f"{C40}" in printed
    assert "protocols differ in compression" in printed


def test_videos_are_scored_by_the_aggregation_of_this_name(fit, capsys) -> None:
    run = fit(STUDENT, "--run.aggregation=top-1")
    frames = read_scores(run / "scores.csv")
    frames = frames[frames["dataset"] == "mini-FaceForensics++"]
    highest = frames.groupby(["method", "video", "label"])["score"].max().reset_index()
    video = results(run)["metrics"][C23]["overall"]["video"]
    assert video["auc"] == pytest.approx(roc_auc_score(highest["label"], highest["score"]))
    assert results(run)["protocol"]["aggregation"] == "top-1"
    argv = ["fit", f"-c={run / 'config.yaml'}", "--run.aggregation=maen"]
    assert "did you mean mean" in refused(argv, capsys)


def test_a_checkpoint_of_another_model_is_one_line(
    fit, tiny_teacher: Path, tmp_path: Path, capsys
) -> None:
    student = distil(fit, tiny_teacher, "two-in-one")
    another = ["--model.init_args.learning_rate=0.5", "--run.test=false"]
    other = distil(fit, tiny_teacher, "two-in-one", *another, folder=tmp_path / "other")
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(checkpoint(student).read_bytes()[:2000])
    before = (student / "results.json").read_bytes()
    for wrong, message in (
        (
            checkpoint(tiny_teacher),
            "trained with class TeacherModule, but here it is DistillModule",
        ),
        (tmp_path / "none.ckpt", "no such file"),
        (cut, "cut short or damaged"),
        (checkpoint(other), "trained with learning_rate 0.5"),
    ):
        argv = ["test", f"-c={student / 'config.yaml'}", f"--ckpt_path={wrong}"]
        line = refused(argv, capsys)
        assert str(wrong) in line
        assert message in line
    assert (student / "results.json").read_bytes() == before


def test_a_checkpoint_given_by_path_is_not_recorded_as_selected(fit) -> None:
    run = fit(STUDENT)
    last = run / "checkpoints" / "last.ckpt"
    main(["test", f"-c={run / 'config.yaml'}", f"--ckpt_path={last}"])
    assert results(run)["protocol"]["selected_on"] == "given: last.ckpt"


def test_results_are_made_again_from_the_scores_beside_them(tiny_teacher: Path) -> None:
    run = read_run(tiny_teacher)
    videos = run.scored(C23)
    auc = roc_auc_score(videos["label"], videos["score"])
    assert run.video_auc == pytest.approx(auc, abs=1e-12)
    metrics = json.loads((tiny_teacher / "results.json").read_text())["metrics"]
    assert metrics[C23]["overall"]["video"]["intervals"]["auc"] is None  # of one pair of people
