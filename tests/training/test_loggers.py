"""What W&B and TensorBoard are given of a run, silently and without a place or a key."""

import json
import time
import zipfile
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support.runs import checkpoint, distil
from training.wandb_run import without_folders

KEY = "0123456789" * 4


def test_an_offline_run_is_complete_silent_and_names_no_place(
    fit, tiny_teacher: Path, tiny_crops: Path, tmp_path: Path, monkeypatch, capfd
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    run = distil(
        fit, tiny_teacher, "two-in-one", "--run.wandb=offline", "--run.tensorboard=true"
    )  # fmt: skip
    said = capfd.readouterr()
    assert "wandb" not in said.out + said.err
    [folder] = run.glob("wandb/offline-run-*")
    content = b""
    deadline = time.monotonic() + 60
    # wandb's own process may write on for a moment after the run has ended.
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


def test_a_run_without_them_keeps_a_csv_file_alone(tiny_student: Path) -> None:
    assert (tiny_student / "metrics.csv").is_file()
    assert not (tiny_student / "wandb").exists()
    assert not (tiny_student / "tensorboard").exists()


def test_a_checkpoint_is_not_sent_offline(fit, capsys) -> None:
    words = ("--run.wandb=offline", "--run.wandb_checkpoint=true")
    with pytest.raises(SystemExit):
        fit(("student/mini", "methods/student"), *words)
    assert "run.wandb_checkpoint with run.wandb offline" in capsys.readouterr().err


def test_paths_are_their_last_part_and_other_values_are_as_they_were() -> None:
    config = {"teacher": "/home/me/run/best.ckpt", "a": ["~/x/y", 1, None], "b": "runs/x", "c": ""}
    kept = {"teacher": "best.ckpt", "a": ["y", 1, None], "b": "runs/x", "c": ""}
    assert without_folders(config) == kept
