"""What W&B and TensorBoard log of a run: silently, without paths and without keys."""

import json
import time
import zipfile
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support.runs import checkpoint, distil
from training.wandb_run import without_folders

KEY = "0123456789" * 4


def test_an_offline_run_is_complete_and_silent_and_names_no_path(
    fit, tiny_teacher: Path, tiny_crops: Path, tmp_path: Path, monkeypatch, capfd
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    run = distil(
        fit, tiny_teacher, "two-in-one", "--run.wandb=offline", "--run.tensorboard=true"
    )  # fmt: skip
    printed = capfd.readouterr()
    assert "wandb" not in printed.out + printed.err
    [folder] = run.glob("wandb/offline-run-*")
    content = b""
    deadline = time.monotonic() + 60
    # wandb's own process may still write for a moment after the run has ended.
    while b"report/figures" not in content and time.monotonic() < deadline:
        kept = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "logs"]
        content = b"".join(path.read_bytes() for path in kept)
        time.sleep(0.1)
    with zipfile.ZipFile(checkpoint(run)) as file:
        best = b"".join(map(file.read, file.namelist()))
    manifest = json.loads((run / "provenance.json").read_text())["data_manifest_sha256"]
    figures = ("train/loss", "val/video_auc", "grad/cosine", "grad/norm_spatial", "report/figures")
    for word in (*figures, "git_commit", manifest, "weight_decay", "ROC over the test videos"):
        assert word.encode() in content, word
    for place in (KEY, *map(str, (Path.home(), tmp_path, tiny_teacher, tiny_crops))):
        assert place.encode() not in content, place
        assert place.encode() not in best, place

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    assert {"train/loss", "val/video_auc", "grad/cosine"} <= set(events.Tags()["scalars"])


def test_a_run_without_them_only_writes_metrics_csv(tiny_student: Path) -> None:
    assert (tiny_student / "metrics.csv").is_file()
    assert not (tiny_student / "wandb").exists()
    assert not (tiny_student / "tensorboard").exists()


def test_an_offline_run_uploads_no_checkpoint(fit, capsys) -> None:
    argv = ("--run.wandb=offline", "--run.wandb_checkpoint=true")
    with pytest.raises(SystemExit):
        fit(("student/mini", "methods/student"), *argv)
    assert "run.wandb_checkpoint with run.wandb offline" in capsys.readouterr().err


def test_absolute_paths_are_reduced_to_their_last_part() -> None:
    config = {"teacher": "/home/me/run/best.ckpt", "a": ["~/x/y", 1, None], "b": "runs/x", "c": ""}
    kept = {"teacher": "best.ckpt", "a": ["y", 1, None], "b": "runs/x", "c": ""}
    assert without_folders(config) == kept
