"""Cost and robustness of runs, and their report."""

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
from errors import InputError
from evaluation.comparison.protocols import check_comparable
from evaluation.comparison.run import read_run
from evaluation.measurement.corrupted_scores import select_crops
from evaluation.measurement.models import load_models
from evaluation.measurement.score_tables import KEYS
from evaluation.metrics.aggregation import video_scores
from lightning_modules.checkpoints import load_detector
from records.scores import PEOPLE
from tests.support.crop_stores import change_manifest
from tests.support.runs import refused, results


@pytest.fixture
def copied(tiny_report: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_report, tmp_path / "report"))


def score_table(folder: Path, run: str, condition: str) -> pd.DataFrame:
    (path,) = (folder / "robustness" / "test").glob(f"{run}-*/{condition}.csv")
    return pd.read_csv(path, dtype=dict.fromkeys(["video", *PEOPLE], str), keep_default_na=False)


def block(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text())[name]


def test_profile_measures_teacher_and_student_in_both_forms(
    tiny_report: Path, tiny_teacher: Path, tiny_student: Path
) -> None:
    profile = block(tiny_report, "profile")
    assert profile["machine"]["instruction_set"] == torch.backends.cpu.get_cpu_capability()
    teacher, student = profile["networks"]
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


def test_a_network_that_cannot_be_exported_is_measured_in_eager_mode(
    tiny_student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    def fail(*_: object) -> None:
        msg = "\nno such operator\nat aten::eye"
        raise RuntimeError(msg)

    monkeypatch.setattr("evaluation.measurement.cost.export_onnx", fail)
    main(["profile", str(tiny_student), f"--out={tmp_path}", "--rounds=1", "--device=cpu"])
    (network,) = block(tmp_path, "profile")["networks"]
    assert network["not_exported"] == "no such operator"
    assert network["onnx_bytes"] is None
    assert list(network["forms"]) == ["cpu eager"]
    assert "student not exported: no such operator" in capfd.readouterr().out


def test_the_clean_auc_equals_the_tests(
    tiny_report: Path, tiny_teacher: Path, tiny_student: Path
) -> None:
    robustness = block(tiny_report, "robustness")
    runs = [read_run(folder) for folder in (tiny_teacher, tiny_student)]
    for run in runs:
        line = robustness["runs"][run.name]
        assert line["clean"]["auc"] == pytest.approx(run.video_auc, abs=1e-12)
        assert [len(curve["levels"]) for curve in line["curves"].values()] == [5, 5]
        table = score_table(tiny_report, run.name, "clean")
        both = run.videos.merge(table, on=KEYS, validate="1:1")
        assert len(both) == len(run.videos) == len(table)
        np.testing.assert_allclose(both["score_x"], both["score_y"], atol=1e-6)


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
    table = score_table(tiny_report, "student-seed0", "JPEG-3")
    both = expected.merge(table, on=KEYS, validate="1:1")
    assert len(both) == len(table)
    np.testing.assert_allclose(both["score_x"], both["score_y"], atol=1e-5)


def test_robustness_resumes_and_scores_changed_checkpoints_again(
    copied: Path, tiny_teacher: Path, tiny_student: Path, tmp_path: Path, capfd
) -> None:
    before = (copied / "robustness.json").read_text()
    for path in (copied / "robustness" / "test").glob("*/JPEG-4.csv"):
        path.unlink()
    argv = [f"--out={copied}", "--corruptions", "JPEG", "H.264", "--device=cpu"]
    main(["robustness", str(tiny_teacher), str(tiny_student), *argv])
    assert "reused: the scores of 10 conditions" in capfd.readouterr().out
    assert (copied / "robustness.json").read_text() == before

    other = Path(shutil.copytree(tiny_student, tmp_path / "student"))
    path = other / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["student.classifier.weight"] *= -1
    torch.save(checkpoint, path)
    main(["robustness", str(tiny_teacher), str(other), *argv])
    now = json.loads((copied / "robustness.json").read_text())["robustness"]["runs"]
    was = json.loads(before)["robustness"]["runs"]
    assert now["teacher-seed0"] == was["teacher-seed0"]
    assert now["student-seed0"] != was["student-seed0"]


def test_the_validation_split_has_its_own_file(
    tiny_student: Path, tiny_crops: Path, tmp_path: Path
) -> None:
    argv = [f"--out={tmp_path}", "--split=val", "--corruptions", "saturation"]
    main(["robustness", str(tiny_student / "checkpoints" / "best.ckpt"), *argv])
    written = json.loads((tmp_path / "robustness-val.json").read_text())["robustness"]
    assert written["set"] == "mini-FaceForensics++ c23/val"
    manifest = CropStore(tiny_crops).manifest
    videos = manifest[manifest["split"] == "val"].drop_duplicates(KEYS)
    assert written["videos"] == {"real": 2, "fake": len(videos) - 2}
    assert not (tmp_path / "robustness.json").exists()


def test_the_report_shows_costs_robustness_and_evidence_maps(tiny_report: Path) -> None:
    text = (tiny_report / "report.md").read_text(encoding="utf-8")
    assert text.index("## Cost") < text.index("## Protocol")
    profile = block(tiny_report, "profile")
    costs = text[text.index("## Cost") :]
    line = next(row for row in costs.splitlines() if row.startswith("| student |"))
    latency = profile["networks"][1]["forms"]["cpu onnx"]["latency"]
    assert f"{latency['median']:.2f} (" in line
    assert f"), {latency['times_better_than_teacher']:.1f}" in line
    mean = block(tiny_report, "robustness")["methods"][1]["curves"]["H.264"]["mean"]["auc"]
    assert f"{mean:.3f}" in next(row for row in text.splitlines() if row.startswith("| H.264 |"))
    page = (tiny_report / "report.html").read_text(encoding="utf-8")
    assert "Grad-CAM of teacher spatial, teacher frequency, student on it" in page
    assert "Mean spectra of real and fake crops" in page


def test_a_report_without_checkpoints_explains_the_missing_evidence_maps(
    tiny_teacher: Path, tiny_student: Path, tiny_crops: Path, tmp_path: Path
) -> None:
    runs = [Path(shutil.copytree(run, tmp_path / run.name)) for run in (tiny_teacher, tiny_student)]
    shutil.rmtree(runs[1] / "checkpoints")
    main(["report", *map(str, runs), f"--crops={tiny_crops}"])
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Grad-CAM is not available: " in page
    assert "student-seed0/checkpoints/best.ckpt: no such file" in page
    assert str(tmp_path) not in page
    (runs[1] / "checkpoints").mkdir()
    shutil.copy(tiny_teacher / "checkpoints" / "best.ckpt", runs[1] / "checkpoints")
    main(["report", *map(str, runs), f"--crops={tiny_crops}"])
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "but student-seed0 was tested with" in page


def test_other_checkpoints_are_refused_in_one_line(
    tiny_teacher: Path, tiny_student: Path, tmp_path: Path, capfd
) -> None:
    run = Path(shutil.copytree(tiny_student, tmp_path / "student-seed0"))
    best = run / "checkpoints" / "best.ckpt"
    for command in ("profile", "robustness"):
        argv = [command, str(run), f"--out={tmp_path / 'out'}"]
        shutil.copy(tiny_teacher / "checkpoints" / "best.ckpt", best)
        assert "but student-seed0 was tested with" in refused(argv, capfd)
        best.write_bytes(best.read_bytes()[:2000])
        assert "cut short or damaged" in refused(argv, capfd)
        torch.save({"hyper_parameters": {"_class_path": "theirs.Net"}, "state_dict": {}}, best)
        assert "a checkpoint of theirs.Net, expected" in refused(argv, capfd)
        best.unlink()
        assert "best.ckpt: no such file" in refused(argv, capfd)
        assert not (tmp_path / "out").exists()


def test_scores_that_are_not_finite_are_refused_with_the_name_of_the_run(
    tiny_student: Path, tmp_path: Path, capfd
) -> None:
    run = Path(shutil.copytree(tiny_student, tmp_path / "student-seed0"))
    best = run / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(best, weights_only=True)
    checkpoint["state_dict"]["student.classifier.weight"] *= float("nan")
    torch.save(checkpoint, best)
    argv = [str(run), f"--out={tmp_path / 'out'}", "--device=cpu"]
    line = refused(["robustness", *argv, "--corruptions", "saturation"], capfd)
    assert "student-seed0 under clean: 20 frames, the first is " in line
    assert "not finite" in line
    assert "best.ckpt: returns probabilities that are not finite" in refused(
        ["profile", *argv], capfd
    )
    assert not (tmp_path / "out" / "profile.json").exists()


def test_runs_that_cannot_be_measured_are_refused_in_one_line(
    tiny_student: Path, tmp_path: Path, capfd
) -> None:
    student, out = str(tiny_student), f"--out={tmp_path / 'out'}"
    loose = shutil.copy(tiny_student / "checkpoints" / "best.ckpt", tmp_path / "best.ckpt")
    (tmp_path / "file").write_text("")
    for argv, message in (
        (["profile", loose, out], "name the run's folder"),
        (["profile", student, student, out], "expected each run once"),
        (["profile", student, "--rounds=0", out], "--rounds is 0: expected a number at least 1"),
        (["robustness", "nowhere", out], "nowhere: no such folder"),
        (["robustness", student, "--num_workers=-1", out], "--num_workers is -1"),
        (["robustness", student, out, "--corruptions", "JPG"], "did you mean JPEG"),
        (["robustness", student, f"--crops={tmp_path / 'none'}", out], f"{tmp_path / 'none'}"),
        (["profile", student, f"--out={tmp_path / 'file'}"], "cannot be written"),
        (["robustness", student, f"--out={tmp_path / 'file'}"], "cannot be written"),
    ):
        assert message in refused(argv, capfd)
    if not torch.cuda.is_available():
        assert "no GPU" in refused(["profile", student, "--device=cuda", out], capfd)
    assert not (tmp_path / "out").exists()


def damage(path: Path, *keys: object, value: object) -> None:
    """Replace one field of a JSON file."""
    content = json.loads(path.read_text())
    block = content
    for key in keys[:-1]:
        block = block[key]
    block[keys[-1]] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "keys", "value", "message"),
    [
        ("profile", ["version"], 1, "$.version"),
        ("profile", ["profile", "networks"], [], "$.profile.networks"),
        ("profile", ["profile", "networks", 0, "params"], "many", "$.profile.networks[0].params"),
        ("robustness", ["robustness", "methods", 0, "clean"], 0.9, "$.robustness.methods[0].clean"),
        ("robustness", ["robustness", "corruptions"], {}, "do not match `corruptions`"),
        ("robustness", ["robustness"], None, "$.robustness"),
    ],
)
def test_damaged_measurements_are_refused_with_file_and_field(
    copied: Path, tiny_student: Path, capfd, name: str, keys: list, value: object, message: str
) -> None:
    path = copied / f"{name}.json"
    damage(path, *keys, value=value)
    line = refused(["report", tiny_student, f"--out={copied}"], capfd)
    assert f"{path}: " in line
    assert message in line
    assert f"measure again with `two-in-one {name}`, or delete the file" in line


def test_measurements_cut_short_are_refused_in_one_line(
    copied: Path, tiny_teacher: Path, tiny_student: Path, capfd
) -> None:
    runs = [str(tiny_teacher), str(tiny_student), f"--out={copied}"]
    path = copied / "profile.json"
    path.write_text(path.read_text()[:200])
    assert f"{path}: cut short or not JSON" in refused(["report", *runs], capfd)
    (table,) = (copied / "robustness" / "test").glob("student-seed0-*/JPEG-2.csv")
    huge = table.read_text().replace(",0,", f",{10**20},")
    for content in ("", "dataset,video\n", table.read_text().replace(",0,", ",real,"), huge):
        table.write_text(content)
        line = refused(["robustness", *runs, "--corruptions", "JPEG"], capfd)
        assert f"{table}: damaged" in line


def test_other_crops_are_refused_unless_chosen(
    tiny_student: Path, tiny_crops: Path, tmp_path: Path, capfd
) -> None:
    run = Path(shutil.copytree(tiny_student, tmp_path / "student-seed0"))
    provenance = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").write_text(
        json.dumps(provenance | {"data_manifest_sha256": "0" * 64})
    )
    argv = ["robustness", str(run), f"--out={tmp_path / 'out'}", "--corruptions", "saturation"]
    assert "not the crops that student-seed0 was trained on" in refused(argv, capfd)
    main([*argv, f"--crops={tiny_crops}"])
    config = run / "config.yaml"
    for content in (yaml.safe_dump({"model": {}}), "data: [", ""):
        config.write_text(content)
        assert f"{config}: " in refused(argv, capfd)
    config.unlink()
    assert f"{config}: no such file" in refused(argv, capfd)


def test_data_sets_that_a_run_was_not_trained_on_do_not_count(
    tiny_student: Path, tiny_crops: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_student, tmp_path / "student-seed0"))
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["datasets"] = ["mini-FaceForensics++"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    store = Path(shutil.copytree(tiny_crops, tmp_path / "crops"))

    def leak(manifest: pd.DataFrame) -> pd.DataFrame:
        """Use half of the Celeb-DF videos for validation: of the same people as the others."""
        half = (manifest["dataset"] == "mini-Celeb-DF-v2") & (manifest["video"].cat.codes % 2 == 1)
        return manifest.assign(split=manifest["split"].mask(half, "val"))

    models = load_models([run])
    known = select_crops(models, tiny_crops, "val").videos
    change_manifest(store, leak)
    assert select_crops(models, store, "val").videos == known


def test_fewer_frames_than_extracted_are_scored_as_in_the_test(
    tiny_teacher: Path, tiny_student: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_student, tmp_path / "student-seed0"))
    argv = [f"--config={run / 'config.yaml'}", f"--run.dir={run}", "--data.frames_per_video=1"]
    main(["test", *argv, f"--ckpt_path={run / 'checkpoints' / 'best.ckpt'}"])
    fewer = read_run(run)
    assert fewer.protocol.frames_per_video == 1
    with pytest.raises(InputError, match=r"frames per video: 2 .* against 1"):
        check_comparable([read_run(tiny_teacher), fewer], any_protocol=False)
    main(["robustness", str(run), f"--out={tmp_path / 'report'}", "--corruptions", "saturation"])
    table = score_table(tmp_path / "report", run.name, "clean")
    both = fewer.videos.merge(table, on=KEYS, validate="1:1")
    assert len(both) == len(table)
    np.testing.assert_allclose(both["score_x"], both["score_y"], atol=1e-6)
