"""What is measured beside the tests of runs: cost and robustness, and the report of both."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from cli.main import main
from datamodules.crops.store import CropStore
from evaluation.comparison.run import read_run
from evaluation.measurement.score_tables import KEYS
from evaluation.metrics.aggregation import video_scores
from lightning_modules.checkpoints import load_detector
from tests.support.runs import refused, results


@pytest.fixture
def copied(tiny_report: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_report, tmp_path / "report"))


def block(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text())[name]


def test_profile_measures_teacher_and_student_in_both_forms(
    tiny_report: Path, tiny_teacher: Path, tiny_student: Path
) -> None:
    teacher, student = block(tiny_report, "profile")["networks"]
    for network, run in ((teacher, tiny_teacher), (student, tiny_student)):
        model = results(run)["model"]
        assert {key: network[key] for key in model} == model
        assert network["checkpoint_bytes"] == (run / "checkpoints" / "best.ckpt").stat().st_size
        assert network["onnx_difference"] < 1e-5
        assert network["onnx_bytes"] > 4 * network["params"]
        assert list(network["forms"]) == ["cpu eager", "cpu onnx"]
    for form, figures in student["forms"].items():
        for quantity, figure in figures.items():
            assert figure["median"] > 0
            assert figure["times_better_than_teacher"] > 0
            assert teacher["forms"][form][quantity]["times_better_than_teacher"] == 1


def test_networks_that_are_built_alike_are_measured_once(
    tiny_student: Path, tmp_path: Path
) -> None:
    again = Path(shutil.copytree(tiny_student, tmp_path / "naive-seed0"))
    written = results(again)
    written["run"] |= {"name": "naive-seed0", "method": "naive"}
    (again / "results.json").write_text(json.dumps(written))
    main(["profile", str(again), str(tiny_student), f"--out={tmp_path / 'out'}", "--rounds=1"])
    (network,) = block(tmp_path / "out", "profile")["networks"]
    assert network["methods"] == ["student", "naive"]
    assert network["forms"]["cpu onnx"]["latency"]["times_better_than_teacher"] is None


def test_the_clean_value_is_that_of_the_test(
    tiny_report: Path, tiny_teacher: Path, tiny_student: Path
) -> None:
    robustness = block(tiny_report, "robustness")
    runs = [read_run(folder) for folder in (tiny_teacher, tiny_student)]
    table = pd.read_csv(tiny_report / "robustness/test/clean.csv", dtype={"video": str})
    for line, run in zip(robustness["runs"], runs, strict=True):
        assert line["clean"]["auc"] == pytest.approx(run.video_auc, abs=1e-12)
        assert [len(curve["levels"]) for curve in line["curves"].values()] == [5, 5]
        both = run.videos.merge(table, on=KEYS, validate="1:1")
        assert len(both) == len(run.videos) == len(table)
        np.testing.assert_allclose(both["score"], both[run.name], atol=1e-6)


def test_corrupted_crops_are_what_the_models_score(
    tiny_report: Path, tiny_student: Path, tiny_crops: Path
) -> None:
    store = CropStore(tiny_crops)
    manifest = store.manifest
    rows = np.flatnonzero((manifest["split"] == "test") & (manifest["compression"] == "c23"))
    encoded = [
        cv2.imencode(".jpg", store.crop(row)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
        for row in rows
    ]
    crops = np.stack([cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1] for jpeg in encoded])
    detector = load_detector(tiny_student / "checkpoints" / "best.ckpt")
    with torch.inference_mode():
        scores = detector(torch.from_numpy(crops.transpose(0, 3, 1, 2).copy())).numpy()
    expected = video_scores(manifest.iloc[rows].assign(score=scores))
    table = pd.read_csv(tiny_report / "robustness/test/JPEG-3.csv", dtype={"video": str})
    both = expected.merge(table, on=KEYS, validate="1:1")
    assert len(both) == len(table)
    np.testing.assert_allclose(both["score"], both["student-seed0"], atol=1e-5)


def test_robustness_goes_on_where_it_stopped_and_scores_anew_what_changed(
    copied: Path, tiny_teacher: Path, tiny_student: Path, tmp_path: Path, capfd
) -> None:
    before = (copied / "robustness.json").read_text()
    tables = copied / "robustness" / "test"
    (tables / "JPEG-4.csv").unlink()
    words = [f"--out={copied}", "--corruptions", "JPEG", "H.264", "--device=cpu"]
    main(["robustness", str(tiny_teacher), str(tiny_student), *words])
    assert "reused: 10 conditions" in capfd.readouterr().out
    assert (copied / "robustness.json").read_text() == before

    other = Path(shutil.copytree(tiny_student, tmp_path / "student"))
    path = other / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["student.classifier.weight"] *= -1
    torch.save(checkpoint, path)
    main(["robustness", str(tiny_teacher), str(other), *words])
    now = json.loads((copied / "robustness.json").read_text())["robustness"]["runs"]
    was = json.loads(before)["robustness"]["runs"]
    assert now[0] == was[0]
    assert now[1] != was[1]


def test_choices_are_made_on_the_validation_split(
    tiny_student: Path, tiny_crops: Path, tmp_path: Path
) -> None:
    words = [f"--out={tmp_path}", "--split=val", "--corruptions", "saturation"]
    main(["robustness", str(tiny_student / "checkpoints" / "best.ckpt"), *words])
    written = json.loads((tmp_path / "robustness-val.json").read_text())["robustness"]
    assert written["set"] == "mini-FaceForensics++ c23/val"
    manifest = CropStore(tiny_crops).manifest
    videos = manifest[manifest["split"] == "val"].drop_duplicates(KEYS)
    assert written["videos"] == {"real": 2, "fake": len(videos) - 2}
    assert not (tmp_path / "robustness.json").exists()


def test_the_report_shows_costs_robustness_and_where_they_look(tiny_report: Path) -> None:
    text = (tiny_report / "report.md").read_text(encoding="utf-8")
    assert text.index("## What it costs") < text.index("## How it was measured")
    profile = block(tiny_report, "profile")
    costs = text[text.index("## What it costs") :]
    line = next(row for row in costs.splitlines() if row.startswith("| student |"))
    latency = profile["networks"][1]["forms"]["cpu onnx"]["latency"]
    assert f"{latency['median']:.2f} (" in line
    assert f"), {latency['times_better_than_teacher']:.1f}" in line
    mean = block(tiny_report, "robustness")["methods"][1]["curves"]["H.264"]["mean"]["auc"]
    assert f"{mean:.3f}" in next(row for row in text.splitlines() if row.startswith("| H.264 |"))
    page = (tiny_report / "report.html").read_text(encoding="utf-8")
    assert "Grad-CAM of teacher spatial, teacher frequency, student on it" in page
    assert "Mean spectra of real and fake crops" in page


def test_a_report_without_its_checkpoints_says_so(
    tiny_teacher: Path, tiny_student: Path, tiny_crops: Path, tmp_path: Path
) -> None:
    runs = [Path(shutil.copytree(run, tmp_path / run.name)) for run in (tiny_teacher, tiny_student)]
    shutil.rmtree(runs[1] / "checkpoints")
    main(["report", *map(str, runs), f"--crops={tiny_crops}"])
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "No Grad-CAM: " in page
    assert "student-seed0/checkpoints/best.ckpt: no such file" in page
    assert str(tmp_path) not in page
    (runs[1] / "checkpoints").mkdir()
    shutil.copy(tiny_teacher / "checkpoints" / "best.ckpt", runs[1] / "checkpoints")
    main(["report", *map(str, runs), f"--crops={tiny_crops}"])
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "but student-seed0 was tested with" in page


def test_other_checkpoints_are_told_in_one_line(
    tiny_teacher: Path, tiny_student: Path, tmp_path: Path, capfd
) -> None:
    run = Path(shutil.copytree(tiny_student, tmp_path / "student-seed0"))
    best = run / "checkpoints" / "best.ckpt"
    for command in ("profile", "robustness"):
        words = [command, str(run), f"--out={tmp_path / 'out'}"]
        shutil.copy(tiny_teacher / "checkpoints" / "best.ckpt", best)
        assert "but student-seed0 was tested with" in refused(words, capfd)
        best.write_bytes(best.read_bytes()[:2000])
        assert "cut short or damaged" in refused(words, capfd)
        torch.save({"hyper_parameters": {"_class_path": "theirs.Net"}, "state_dict": {}}, best)
        assert "a checkpoint of theirs.Net, expected" in refused(words, capfd)
        best.unlink()
        assert "best.ckpt: no such file" in refused(words, capfd)
        assert not (tmp_path / "out").exists()


def test_a_model_without_finite_scores_is_named_and_never_averaged_away(
    tiny_student: Path, tmp_path: Path, capfd
) -> None:
    run = Path(shutil.copytree(tiny_student, tmp_path / "student-seed0"))
    best = run / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(best, weights_only=True)
    checkpoint["state_dict"]["student.classifier.weight"] *= float("nan")
    torch.save(checkpoint, best)
    words = [str(run), f"--out={tmp_path / 'out'}", "--device=cpu"]
    line = refused(["robustness", *words, "--corruptions", "saturation"], capfd)
    assert "student-seed0 under clean: 20 frames of 10 videos are not finite, the first of" in line
    assert "best.ckpt: gives probabilities that are not finite" in refused(
        ["profile", *words], capfd
    )
    assert not (tmp_path / "out" / "profile.json").exists()


def test_what_cannot_be_measured_is_told_in_one_line(
    tiny_teacher: Path, tiny_student: Path, copied: Path, tmp_path: Path, capfd
) -> None:
    student = str(tiny_student)
    loose = shutil.copy(tiny_student / "checkpoints" / "best.ckpt", tmp_path / "best.ckpt")
    assert "name the run's folder" in refused(["profile", str(loose)], capfd)
    assert "expected each run once" in refused(["profile", student, student], capfd)
    assert "--rounds 0" in refused(["profile", student, "--rounds=0"], capfd)
    assert "no such folder" in refused(["robustness", "nowhere"], capfd)
    wrong = ["robustness", student, "--corruptions", "JPG"]
    assert "did you mean JPEG" in refused(wrong, capfd)
    if not torch.cuda.is_available():
        assert "no GPU" in refused(["profile", student, "--device=cuda"], capfd)
    path = copied / "profile.json"
    path.write_text(path.read_text()[:200])
    words = ["report", str(tiny_teacher), student, f"--out={copied}"]
    assert "run `two-in-one profile` again" in refused(words, capfd)


def test_robustness_is_not_tested_on_other_crops_unless_they_are_chosen(
    tiny_student: Path, tiny_crops: Path, tmp_path: Path, capfd
) -> None:
    run = Path(shutil.copytree(tiny_student, tmp_path / "student-seed0"))
    provenance = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").write_text(
        json.dumps(provenance | {"data_manifest_sha256": "0" * 64})
    )
    words = ["robustness", str(run), f"--out={tmp_path / 'out'}", "--corruptions", "saturation"]
    assert "not the crops that student-seed0 was trained on" in refused(words, capfd)
    main([*words, f"--crops={tiny_crops}"])
    (run / "config.yaml").write_text(yaml.safe_dump({"model": {}}))
    assert "no data settings in it" in refused(words, capfd)
