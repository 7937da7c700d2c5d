"""`two-in-one export`: what a package holds, its gates, and that it runs alone."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from msgspec import structs

from cli.main import main
from datamodules.crops.store import CropStore, ExtractionSettings
from errors import InputError
from evaluation.comparison.run import read_run
from evaluation.measurement.corrupted_scores import select_crops
from evaluation.measurement.models import load_models
from export.card import crop_rule, domain_of
from export.model_card import write_model_card
from export.package import replacing_folder
from export.verification import check_int8
from inference.card import read_card
from inference.detector import Detector
from inference.reference import Reference
from lightning_modules.checkpoints import load_detector
from records.files import read_yaml
from records.measurements import Measurements, read_measurements
from records.slices import Bounded, SliceFigures, SliceResults
from tests.support.crop_stores import change_manifest
from tests.support.packages import change_card
from tests.support.runs import checkpoint, refused, results

_ALONE = """
import runpy, sys
for name in ("torch", "torchvision", "lightning", "pandas", "msgspec", "facenet_pytorch", "timm"):
    sys.modules[name] = None
package, *argv = sys.argv[1:]
sys.path[:] = [p for p in sys.path if "site-packages" in p or "python3" in p]
sys.argv = [package, *argv]
try:
    runpy.run_path(package, run_name="__main__")
except SystemExit as end:
    status = end.code
rooms = ("checking", "faces", "inference")
own = {n: m.__file__ for n, m in sys.modules.items() if n.split(".")[0] in rooms}
assert own and all(path.startswith(package) for path in own.values()), own
sys.path.insert(0, package)
from predict import predict
print(predict(argv[0]))
sys.exit(status)
"""


def test_the_package_runs_without_torch_and_without_this_project(
    package: Path, tiny_ffpp: Path, tmp_path: Path
) -> None:
    video = sorted(tiny_ffpp.glob("original_sequences/*/c23/videos/*.mp4"))[0]
    argv = [sys.executable, "-c", _ALONE, str(package), str(video), "--out=pages", "--max_frames=2"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    reason = "no verdict: trained on rendered faces: no statement about real videos"
    first, *_, score = done.stdout.splitlines()
    assert first == f"{video}: {reason}"
    assert 0 < float(score) < 1
    assert done.stderr == ""
    assert done.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]


def test_a_package_whose_code_is_damaged_is_one_line(copied_package: Path, capfd: Any) -> None:
    path = copied_package / "inference" / "quality.py"
    path.write_bytes(path.read_bytes()[:200])
    done = subprocess.run(
        [sys.executable, copied_package, "clip.mp4"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {copied_package}: cannot be imported")
    assert "quality.py" in line


def test_the_network_is_the_runs(package: Path, tiny_student: Path, tiny_crops: Path) -> None:
    detector = load_detector(checkpoint(tiny_student))
    store = CropStore(tiny_crops)
    crops = np.stack([store.crop(row) for row in range(5)]).transpose(0, 3, 1, 2).copy()
    session = onnxruntime.InferenceSession(package / "detector.onnx")
    logit, probability, evidence = session.run(None, {"images": crops})
    with torch.inference_mode():
        expected = detector(torch.from_numpy(crops)).numpy()
    np.testing.assert_allclose(probability, expected, atol=1e-5)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), expected, atol=1e-5)
    np.testing.assert_allclose(evidence.mean(axis=(1, 2)), logit, atol=1e-4)
    network = json.loads((package / "card.json").read_text())["network"]
    assert list(evidence.shape[1:]) == network["evidence"]
    file = onnx.load(package / "detector.onnx")
    assert (file.opset_import[0].version, file.ir_version) == (18, 10)
    # The exporter would note where on the machine each line of code lies.
    for path in package.rglob("*.onnx"):
        assert b"site-packages" not in path.read_bytes()
    metadata = {entry.key: entry.value for entry in file.metadata_props}
    assert metadata["input"] == "uint8 crops [B, 3, 64, 64], RGB"


def test_card_reference_and_model_card_repeat_the_runs_files(
    package: Path, tiny_student: Path
) -> None:
    run = read_run(tiny_student)
    card = json.loads((package / "card.json").read_text())
    video = run.results.metrics[run.in_domain].overall.video
    assert card["thresholds"]["video"] == video.threshold
    assert card["crops"]["scale"] == run.protocol.crop_scale
    assert card["frames"]["per_video"] == run.protocol.frames_per_video
    assert card["domain"]["no_verdict"].startswith("trained on rendered faces")
    assert card["network"]["params"] == results(tiny_student)["model"]["params"]
    written = {
        str(path.relative_to(package))
        for path in package.rglob("*")
        if path.suffix not in ("", ".pyc")
    }
    assert written == {*card["files"], "card.json"}
    reference = Reference.open(package)
    assert sorted(set(reference.label)) == [0, 1]
    of_first = reference.frame_score[reference.frame_video == 0]
    assert reference.score[0] == pytest.approx(of_first.mean())
    assert np.isfinite(reference.side).all()
    quality = card["quality"]
    assert (quality["real"], quality["fake"]) == (2, 8)
    assert all(one["covered_false_alarms"] == 0 for one in quality["curve"][1:])
    assert quality["sharpness"] > 0
    text = (package / "README.md").read_text()
    assert "\n| H.264 40 | " in text
    assert f"| {video.auc:.3f} (" in text
    assert text.index("## 2. Purpose") < text.index("## 10. Human oversight")
    metadata = read_yaml_front_matter(package)
    assert metadata["library_name"] == "onnx"
    assert len(metadata["model-index"][0]["results"]) == len(run.results.metrics)


def read_yaml_front_matter(package: Path) -> dict:
    path = package / "front.yaml"
    path.write_text((package / "README.md").read_text().split("---\n")[1])
    try:
        return read_yaml(path, dict, "", "")
    finally:
        path.unlink()


def test_a_package_is_verified_or_refused(copied_package: Path, capfd) -> None:
    main(["export", "--verify", str(copied_package)])
    assert "verified on this machine" in capfd.readouterr().out
    path = copied_package / "answers.npz"
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "logits": arrays["logits"] + 0.001})
    assert "answers.npz: damaged or altered" in refused(
        ["export", "--verify", copied_package], capfd
    )
    change_card(copied_package, lambda card: None)
    line = refused(["export", "--verify", copied_package], capfd)
    assert "the answers fail on this machine (a logit differs by 1.0e-03 of 1e-04)" in line


def test_the_network_in_8_bits_needs_people(package: Path, noise_crops: Path, capfd) -> None:
    with pytest.raises(InputError, match=r"int8\.onnx: not written: .* too few people"):
        Detector.open(package, int8=True)
    main(["export", "--verify", str(package)])
    assert "8 bits: not written: the validation split has too few people" in capfd.readouterr().out
    with pytest.raises(InputError, match=r"crops of 32 px, 1\.3 times the box, expected 64 px"):
        check_int8(package, read_card(package), noise_crops)


def test_the_gate_of_8_bits_is_repeated_on_crops(
    copied_package: Path, tiny_crops: Path, tmp_path: Path, capfd
) -> None:
    """A copy of the network in float stands for it; train and val are swapped: four people."""
    shutil.copyfile(copied_package / "detector.onnx", copied_package / "detector.int8.onnx")
    change_card(copied_package, lambda card: card["int8"].update(written=True))
    store = Path(shutil.copytree(tiny_crops, tmp_path / "crops"))
    swapped = {"train": "val", "val": "train", "test": "test"}
    change_manifest(
        store, lambda m: m.assign(split=m["split"].astype(str).map(swapped).astype("category"))
    )
    argv = ["export", "--verify", str(copied_package)]
    main([*argv, f"--crops={store}"])
    assert "8 bits: video AUC +0.0000 [+0.0000, +0.0000]" in capfd.readouterr().out
    assert "too few validation people" in refused([*argv, f"--crops={tiny_crops}"], capfd)


def test_a_folder_of_something_else_is_refused(tiny_student: Path, tmp_path: Path, capfd) -> None:
    (tmp_path / "notes.txt").touch()
    line = refused(["export", tiny_student, f"--out={tmp_path}"], capfd)
    assert "holds notes.txt, expected a new folder or a package" in line
    line = refused(["export", tmp_path / "nowhere"], capfd)
    assert "nowhere" in line
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("out", [".", "link"])
def test_a_folder_is_replaced_by_any_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    package = tmp_path / "detector"
    package.mkdir()
    (package / "old").touch()
    (tmp_path / "link").symlink_to(package)
    monkeypatch.chdir(package if out == "." else tmp_path)
    with pytest.raises(ZeroDivisionError), replacing_folder(Path(out)):
        raise ZeroDivisionError
    assert [path.name for path in package.iterdir()] == ["old"]
    with replacing_folder(Path(out)) as folder:
        (folder / "new").touch()
    assert [path.name for path in package.iterdir()] == ["new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["detector", "link"]
    assert (tmp_path / "link").is_symlink()


def test_a_folder_that_cannot_be_made_leaves_nothing(
    tiny_student: Path, tmp_path: Path, capfd
) -> None:
    (tmp_path / "file").touch()
    line = refused(["export", tiny_student, f"--out={tmp_path / 'file' / 'detector'}"], capfd)
    assert "detector: cannot be written" in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("kind", "reason", "licence"),
    [
        ("rendered", "trained on rendered faces: no statement about real videos", "generated by"),
        (
            "faces",
            "trained on simulated forgeries of 4 real people: no statement about real forgeries",
            "unknown",
        ),
        (None, "trained on simulated forgeries of 4 people: no statement about others", "unknown"),
    ],
)
def test_a_miniature_says_what_its_people_are(
    tiny_student: Path, tiny_crops: Path, tiny_ffpp: Path, tmp_path: Path,
    kind: str | None, reason: str, licence: str,
) -> None:  # fmt: skip
    """The store's ledger names the videos; MINIATURE.json is in a folder above them."""
    store = Path(shutil.copytree(tiny_crops, tmp_path / "crops"))
    root = tmp_path / "videos"
    for path in (store / "ledger").rglob("*.json"):
        path.write_text(path.read_text().replace(f"{tiny_ffpp}/", f"{root}/"))
    if kind is not None:
        root.mkdir()
        made = json.loads((tiny_ffpp / "MINIATURE.json").read_text())
        (root / "MINIATURE.json").write_text(json.dumps({**made, "kind": kind}))
    models = load_models([tiny_student])
    domain = domain_of(models[0].run, select_crops(models, store, "train"), None)
    assert (domain.kind, domain.no_verdict) == ("miniature", reason)
    assert domain.licence.startswith(licence)


def test_crops_of_another_tool_are_refused() -> None:
    settings = ExtractionSettings(112, 1.0, 0, detector="imported", border="imported")
    with pytest.raises(InputError, match="the crops were imported"):
        crop_rule(settings, 0.1)


def test_the_model_card_shows_slices(package: Path, tiny_student: Path, tmp_path: Path) -> None:
    run = read_run(tiny_student)
    part = SliceFigures(
        real=3, fake=9, identities=3,
        fpr=Bounded(0.25, (0.1, 0.5)), tpr=Bounded(0.5), auc=Bounded(None),
    )  # fmt: skip
    test = run.results.metrics[run.in_domain]
    sliced = structs.replace(test, slices={"skin_tone": SliceResults({"dark": part}, {})})
    run.results.metrics[run.in_domain] = sliced
    write_model_card(tmp_path, read_card(package), run, Measurements())
    text = (tmp_path / "README.md").read_text()
    assert "| dark | 3, 9 | 0.250 (0.100\N{EN DASH}0.500) | 0.500 (" in text
    assert "was not measured (`two-in-one test --slices`)" not in text


def test_the_model_card_shows_robustness_and_cost(
    package: Path, tiny_student: Path, tiny_report: Path, tmp_path: Path
) -> None:
    measured = read_measurements(tiny_report)
    write_model_card(tmp_path, read_card(package), read_run(tiny_student), measured)
    text = (tmp_path / "README.md").read_text()
    assert "| JPEG: quality 90.0, 70.0, 50.0, 30.0, 10.0 | " in text
    assert "Latency of one crop in onnxruntime, median on a machine with" in text


def test_the_runtime_needs_what_this_project_needs(package: Path) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {*(package / "requirements.txt").read_text().split()} <= {*project["dependencies"]}
