"""An experiment over several teachers: run by run, collected, and resumed from its record."""

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from msgspec import structs

from cli.main import main
from datamodules.crops.store import CropStore
from evaluation.comparison.run import find_runs
from experiments.record import block_scores
from records.blocks import read_block, read_block_scores, write_block
from tests.support.processes import exit_status, start_afresh
from tests.support.runs import mistake, refused

TEACHERS = ["--teacher_seeds", "0", "1", "--methods", "spatial"]


@pytest.fixture(scope="module")
def argv(
    tiny_ffpp: Path,
    tiny_recipe: Path,
    forked_stages: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[str]]:
    """The command of an experiment, in a working folder of its own: two teachers, two students."""
    folder: Path = tmp_path_factory.mktemp("experiment")
    celeb_df = tiny_ffpp.with_name("ffpp-celeb-df")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        roots = [f"--ffpp_root={tiny_ffpp}", f"--celebdf_root={celeb_df}"]
        yield ["reproduce", *roots, f"--setting={tiny_recipe}", "--record=record", *TEACHERS]


@pytest.fixture(scope="module")
def record(argv: list[str]) -> Path:
    """The record of the finished experiment: data and first teacher by number, then collected."""
    main([*argv, "--index=0"])
    main([*argv, "--jobs=2"])
    return Path("record").resolve()


def test_a_run_by_its_number_needs_the_data_and_its_teacher(argv: list[str], capfd) -> None:
    assert "run --index 0 first" in refused([*argv, "--index=1"], capfd)
    main([*argv, "--index=0"])
    assert len(list(Path("runs").rglob("best.ckpt"))) == 1
    line = refused([*argv, "--index=3"], capfd)
    assert "--index 3: spatial-seed1 needs teacher-seed1: run --index 1 first" in line
    line = refused([*argv, "--index=4"], capfd)
    assert "--index 4: expected 0 to 3: 2 teachers, then 2 students" in line
    assert not Path("record").exists()


def test_a_recorded_experiment_is_judged_anywhere(
    argv: list[str], record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    claims = json.loads((record / "claims.json").read_text())
    assert [claim["id"] for claim in claims["claims"]] == ["C1", "C1", "C2", "C2", "C3"]
    assert claims["dropped"] == []
    shutil.copytree(record, tmp_path / "record")
    monkeypatch.chdir(tmp_path)  # a fresh clone
    main(argv)
    assert "claims.json" in capfd.readouterr().out
    assert json.loads((tmp_path / "record" / "claims.json").read_text()) == claims
    assert [path.name for path in tmp_path.iterdir()] == ["record"]


def test_a_block_holds_its_runs(record: Path) -> None:
    for teacher in (0, 1):
        block = read_block(record / f"teacher{teacher}.zip")
        assert block.complete
        assert block.planned == [f"{m}-seed{teacher}" for m in ("teacher", "spatial")]
        assert {results.run.teacher_seed for results in block.runs} == {teacher}
        assert {results.run.manifest_hash for results in block.runs} == {block.manifest_hash}
        assert block.machine
        assert len(block.runs[0].metrics) == 2
        for column in (f"teacher-seed{teacher}/frequency", f"spatial-seed{teacher}"):
            scores = read_block_scores(record / f"teacher{teacher}.zip", column)
            assert set(scores["dataset"]) == {"mini-FaceForensics++", "mini-Celeb-DF-v2"}


def unfinished(record: Path, folder: Path, teacher: int = 1, runs: int = 1) -> Path:
    """Copy the record, as if it were stopped after some runs of a block."""
    shutil.copytree(record, folder)
    path = folder / f"teacher{teacher}.zip"
    block = read_block(path)
    scores = block_scores(find_runs(path)[:runs])
    write_block(path, structs.replace(block, runs=block.runs[:runs]), scores)
    return path


def assert_same_runs(path: Path, other: Path) -> None:
    one, two = read_block(path), read_block(other)
    assert [results.run.name for results in one.runs] == one.planned == two.planned
    assert [results.metrics for results in one.runs] == [results.metrics for results in two.runs]
    for name in one.planned:
        assert read_block_scores(path, name).equals(read_block_scores(other, name))


@pytest.mark.parametrize("here", [True, False])
def test_an_unfinished_block_is_resumed_with_its_teacher_or_the_same_trained_again(
    here: bool, argv: list[str], record: Path, tmp_path: Path, capfd
) -> None:
    path = unfinished(record, tmp_path / "record")
    out = [] if here else [f"--out={tmp_path / 'runs'}"]
    main([*argv, f"--record={path.parent}", *out])
    assert "dropped" not in capfd.readouterr().out
    assert_same_runs(path, record / path.name)


@pytest.mark.long
def test_recorded_students_are_not_run_again(argv: list[str], tmp_path: Path) -> None:
    seeds = ["--seeds", "0", "1"]
    main([*argv, *seeds, f"--record={tmp_path / 'all'}", f"--out={tmp_path / 'all-runs'}"])
    whole = tmp_path / "all" / "teacher1.zip"
    path = unfinished(whole.parent, tmp_path / "record", runs=2)
    out = tmp_path / "runs"
    main([*argv, *seeds, f"--record={path.parent}", f"--out={out}"])
    made = {file.parent.name for file in out.rglob("results.json")}
    assert made == {"teacher-seed1", "spatial-seed3"}
    assert_same_runs(path, whole)


def test_an_unfinished_block_whose_teacher_differs_here_is_made_anew(
    argv: list[str], record: Path, tmp_path: Path, capfd
) -> None:
    path = unfinished(record, tmp_path / "record")
    block = read_block(path)
    other = structs.replace(block.runs[0], branches={})
    write_block(path, structs.replace(block, runs=[other]), block_scores(find_runs(path)))
    main([*argv, f"--record={path.parent}"])
    assert "dropped: " in (out := capfd.readouterr().out)
    assert "unfinished and its teacher has other figures here: teacher-seed1" in out
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "claims.json",
        "dropped-teacher1.zip",
        "teacher0.zip",
        "teacher3.zip",
    ]
    claims = json.loads((path.parent / "claims.json").read_text())
    assert claims["dropped"] == ["teacher-seed1"]
    assert read_block(path.with_name("teacher3.zip")).planned[1] == "spatial-seed3"


@pytest.mark.parametrize("other", ["the data", "a further store"])
def test_an_unfinished_block_of_another_rendering_is_dropped(
    other: str, argv: list[str], record: Path, tiny_crops: Path, tmp_path: Path, capfd
) -> None:
    path = unfinished(record, tmp_path / "record")
    options = [f"--record={path.parent}", f"--out={tmp_path / 'runs'}"]
    stores = {}
    if other == "a further store":
        stores = {tiny_crops.name: CropStore(tiny_crops).manifest_hash}
        options.append(f"--test_crops={tiny_crops}")
    for file in path.parent.glob("*.zip"):
        block = structs.replace(read_block(file), test_crops=stores)
        write_block(file, block, block_scores(find_runs(file)))
    changed = {"test_crops": dict.fromkeys(stores, "b2")} if stores else {"manifest_hash": "b2"}
    block = structs.replace(read_block(path), **changed)
    write_block(path, block, block_scores(find_runs(path)))
    with pytest.raises(SystemExit):
        main([*argv, *options, "--index=1"])  # the student of the teacher that comes instead
    out, err = capfd.readouterr()
    assert "unfinished and of another rendering: teacher-seed1" in " ".join(out.split())
    assert "spatial-seed3 needs teacher-seed3: run --index 0 first" in " ".join(err.split())
    assert {file.name for file in path.parent.glob("*.zip")} == {
        "dropped-teacher1.zip",
        "teacher0.zip",
    }


def test_claims_are_judged_on_the_same_videos_only(
    argv: list[str], record: Path, tmp_path: Path, capfd
) -> None:
    shutil.copytree(record, tmp_path / "record")
    path = tmp_path / "record" / "teacher1.zip"
    scores = block_scores(find_runs(path))
    real = scores.index[scores["method"] == "Celeb-real"]
    scores.loc[real[0], "video"] = "id0_0099"
    write_block(path, read_block(path), scores)
    line = refused([*argv, f"--record={path.parent}"], capfd)
    assert "teacher1.zip" in line
    assert "expected the same videos" in line


def test_a_stop_keeps_what_is_finished(argv: list[str], record: Path, tmp_path: Path) -> None:
    kept, out = tmp_path / "record", tmp_path / "runs"
    process = start_afresh([*argv, f"--record={kept}", f"--out={out}"], tmp_path / "log.txt")
    deadline = time.monotonic() + 120
    while not list(out.glob("*/teacher-seed0/results.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert exit_status(process) == 128 + signal.SIGTERM
    assert [path.name for path in kept.iterdir()] == ["teacher0.zip"]
    block = read_block(kept / "teacher0.zip")
    assert [results.run.name for results in block.runs] == ["teacher-seed0"]
    assert not block.complete


def test_another_recipe_is_refused_with_what_differs(
    argv: list[str], record: Path, tiny_recipe: Path, tmp_path: Path, capfd
) -> None:
    recipe = yaml.safe_load(tiny_recipe.read_text())
    longer = yaml.safe_load(tiny_recipe.with_name("small.yaml").read_text())
    longer["trainer"]["max_epochs"] = 2
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(longer))
    recipe["configs"][-1] = str(tmp_path / "small.yaml")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    line = refused([*argv, f"--setting={tmp_path / 'tiny.yaml'}"], capfd)
    assert "trainer.max_epochs 1, but here it is 2" in line
    line = refused([*argv, "--methods", "student"], capfd)
    assert "spatial-seed0 planned, but here it is None" in line


@pytest.mark.long
def test_students_of_another_teacher_are_refused(argv: list[str], record: Path, capfd) -> None:
    alone = [word for word in argv if not word.startswith("--record")]
    alone[alone.index("--teacher_seeds") : alone.index("--methods")] = ["--seeds", "0", "1"]
    main(alone)
    results = max(Path("runs").rglob("spatial-seed1/results.json"), key=lambda p: p.stat().st_mtime)
    content = json.loads(results.read_text())
    content["run"]["teacher_seed"] = 1
    results.write_text(json.dumps(content))
    line = mistake(lambda: main(alone), capfd)
    assert "spatial-seed1: made with teacher seed 1, but here it is 0" in line


def test_a_record_needs_the_seeds_of_the_teachers(argv: list[str], tmp_path: Path, capfd) -> None:
    plain = [word for word in argv if word not in ("--teacher_seeds", "0", "1")]
    assert "expected --teacher_seeds" in refused([*plain, f"--record={tmp_path}"], capfd)
