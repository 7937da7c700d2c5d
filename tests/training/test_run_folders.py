"""A second `fit` into the folder of a run: nothing of the first run is overwritten unasked."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import main
from tests.support.runs import mistake

STUDENT = ("student/mini", "methods/student")


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def finished(tiny_student: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_student, tmp_path / "run")


def test_a_finished_run_is_reported_and_left_alone(
    finished: Path, fit: Callable[..., Path], capsys
) -> None:
    before = contents(finished)
    for arguments in ([], ["--run.resume=auto"], ["--data.num_workers=1"]):
        with pytest.raises(SystemExit) as end:
            fit(STUDENT, *arguments, folder=finished)
        assert end.value.code == 0
        printed = capsys.readouterr().out
        assert f"finished: {finished}, results in {finished / 'results.json'}" in printed
    assert contents(finished) == before


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("seed_everything=1", "seed_everything 0, but here it is 1"),
        ("trainer.max_epochs=2", "trainer.max_epochs 1, but here it is 2"),
        ("model.init_args.learning_rate=0.5", "model.init_args.learning_rate"),
        ("data.test_compressions=[c40]", "data.test_compressions"),
        ("run.aggregation=max", "run.aggregation mean, but here it is max"),
    ],
)
def test_another_run_does_not_write_into_a_finished_runs_folder(
    argument: str, expected: str, finished: Path, fit: Callable[..., Path], capsys
) -> None:
    before = contents(finished)
    message = mistake(lambda: fit(STUDENT, f"--{argument}", folder=finished), capsys)
    assert f"{finished}: holds a finished run with {expected}" in message
    assert "choose another run.dir" in message
    assert contents(finished) == before


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "config.yaml: no such file"),
        ("model: [", "config.yaml: cut short or not YAML"),
        ("model: {class_path: x}", "missing required field"),
        ("seed_everything: a", "config.yaml: "),
    ],
)
def test_a_damaged_configuration_of_a_finished_run_is_named(
    content: str | None, expected: str, finished: Path, fit: Callable[..., Path], capsys
) -> None:
    (finished / "config.yaml").unlink()
    if content is not None:
        (finished / "config.yaml").write_text(content)
    message = mistake(lambda: fit(STUDENT, folder=finished), capsys)
    assert expected in message
    assert "choose another run.dir" in message


def test_a_finished_run_on_other_crops_is_another_run(
    finished: Path, fit: Callable[..., Path], tiny_crops: Path, tmp_path: Path, capsys
) -> None:
    import pandas as pd

    store = shutil.copytree(tiny_crops, tmp_path / "crops")
    manifest = store / "manifest.parquet"
    pd.read_parquet(manifest).iloc[:-1].to_parquet(manifest, index=False)
    message = mistake(lambda: fit(STUDENT, f"--data.crops={store}", folder=finished), capsys)
    assert "holds a finished run with data.crops' manifest" in message


def test_an_unfinished_run_is_resumed_only_on_request(
    finished: Path, fit: Callable[..., Path], capsys
) -> None:
    (finished / "results.json").unlink()
    before = contents(finished)
    message = mistake(lambda: fit(STUDENT, folder=finished), capsys)
    assert f"{finished}: holds checkpoints of an unfinished run" in message
    assert "--run.resume auto" in message
    assert contents(finished) == before
    fit(STUDENT, "--run.resume=auto", folder=finished)
    assert (finished / "results.json").is_file()


def test_a_finished_runs_config_fits_elsewhere(finished: Path, tmp_path: Path) -> None:
    arguments = [f"--run.dir={tmp_path / 'again'}", "--run.test=false"]
    main(["fit", f"-c={finished / 'config.yaml'}", *arguments])
    assert (tmp_path / "again" / "checkpoints" / "best.ckpt").is_file()
