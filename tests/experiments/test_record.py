"""An experiment's record: blocks as small files, from which it is judged and resumed."""

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from cli.main import main
from errors import InputError
from evaluation.comparison.claims import judge_claims
from evaluation.comparison.ladder import build_ladder
from evaluation.comparison.run import Run, find_runs
from experiments.experiment import Experiment
from experiments.recipe import read_recipe
from experiments.record import Record, block_scores
from records.blocks import (
    VIDEO,
    BlockRecord,
    block_path,
    read_block,
    read_block_scores,
    read_blocks,
    read_experiment_claims,
    write_block,
)
from records.identities import people
from records.scores import PEOPLE, VIDEO_KEY
from tests.support.ladder_on_disk import frame_scores, write_run
from tests.support.runs import refused

COMMITTED = Path(__file__).parents[2] / "benchmarks" / "results" / "experiment" / "rendered"
METHODS = ("student", "spatial", "naive", "two-in-one")


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """A ladder with one teacher, in run folders."""
    folder = tmp_path / "runs"
    for i, method in enumerate(("teacher", *METHODS)):
        write_run(folder, method, separation=1 + i / 2)
    return find_runs(folder)


def as_block(runs: list[Run], **changes: object) -> BlockRecord:
    names = sorted((run.name for run in runs), key=lambda name: not name.startswith("teacher"))
    block = BlockRecord(
        teacher_seed=0,
        recipe={},
        data={},
        manifest_hash="a",
        test_crops={},
        planned=names,
        machine=None,
        runs=[run.results for run in runs],
    )
    return structs.replace(block, **changes)


def test_a_block_is_judged_as_its_run_folders_are(runs: list[Run], tmp_path: Path) -> None:
    path = tmp_path / "record" / "teacher0.zip"
    write_block(path, as_block(runs), block_scores(runs))
    kept = find_runs(path.parent)
    assert {run.name for run in kept} == {run.name for run in runs}
    order = sorted(kept, key=lambda run: [r.name for r in runs].index(run.name))
    for mine, theirs in zip(judge_claims(order), judge_claims(runs), strict=True):
        assert mine.verdict == theirs.verdict
        for one, other in zip(mine.comparisons, theirs.comparisons, strict=True):
            assert one.differences == other.differences
            assert one.interval == pytest.approx(other.interval, abs=1e-6)
    for mine, theirs in zip(build_ladder(order).rungs, build_ladder(runs).rungs, strict=True):
        assert mine.interval == pytest.approx(theirs.interval, abs=1e-6)
        assert mine.figures["frame_auc"].value == theirs.figures["frame_auc"].value
        assert mine.figures["frame_auc"].interval is None
        assert [b.interval for b in mine.branches] == [
            pytest.approx(b.interval, abs=1e-6) for b in theirs.branches
        ]


def test_the_same_block_has_the_same_bytes_and_few_of_them(runs: list[Run], tmp_path: Path) -> None:
    paths = [tmp_path / name / "teacher0.zip" for name in "ab"]
    for path in paths:
        write_block(path, as_block(runs), block_scores(runs))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].stat().st_size < 8000 * len(runs)


def test_scores_near_0_and_1_stay_apart(tmp_path: Path) -> None:
    scores = frame_scores(1.5, seed=0)
    fake = scores["label"] == 1
    scores["score"] = (scores["score"] * 1e-9).where(~fake, 1 - scores["score"] * 1e-9)
    run = find_runs(write_run(tmp_path, "student", scores=scores))
    write_block(tmp_path / "teacher0.zip", as_block(run), block_scores(run))
    kept = find_runs(tmp_path / "teacher0.zip")[0]
    assert kept.videos["score"].nunique() == run[0].videos["score"].nunique()


def test_intervals_take_the_people_that_ids_do_not_name_from_the_block(tmp_path: Path) -> None:
    """Of videos by number, half of which show a person that is not known."""
    for i in range(2):
        scores = frame_scores(1 + i, seed=i)
        scores[PEOPLE] = [(*people(video), "")[:2] for video in scores["video"]]
        scores.loc[scores["method"] == "FaceSwap", PEOPLE] = ""
        scores["video"] = [f"{number:05d}" for number in scores.groupby(VIDEO_KEY).ngroup()]
        write_run(tmp_path / "runs", "student", seed=i, scores=scores)
    runs = find_runs(tmp_path / "runs")
    path, again = tmp_path / "teacher0.zip", tmp_path / "teacher1.zip"
    write_block(path, as_block(runs), block_scores(runs))
    kept = find_runs(path)
    for mine, theirs in zip(kept, runs, strict=True):
        for test in theirs.metrics():
            one, other = (run.spread(test) for run in (mine, theirs))
            assert one.units.units == other.units.units
            assert one.interval("auc", 0.8) == pytest.approx(other.interval("auc", 0.8), abs=1e-6)
    write_block(again, as_block(runs), block_scores([kept[0], runs[1]]))
    assert again.read_bytes() == path.read_bytes()


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1) | st.integers(1, 9999).map(lambda n: 1 - n * 2**-53), min_size=1))
def test_a_block_that_is_written_again_keeps_every_digit(
    tmp_path_factory: pytest.TempPathFactory, scores: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("blocks")
    first, again = (folder / f"teacher{i}.zip" for i in range(2))
    ids = [f"{i:03d}" for i in range(len(scores))]
    table = pd.DataFrame({"video": ids, "run": scores, **dict.fromkeys(VIDEO[:3], "a"), "label": 0})
    write_block(first, as_block([]), table)
    kept = read_block_scores(first, "run").rename(columns={"score": "run"})
    write_block(again, as_block([]), kept)
    assert again.read_bytes() == first.read_bytes()


def test_a_committed_block_that_is_written_again_has_the_same_content(tmp_path: Path) -> None:
    first, again = COMMITTED / "teacher0.zip", tmp_path / "teacher0.zip"
    write_block(again, read_block(first), block_scores(find_runs(first)))
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(again) as other:
        for name in ("runs.json", "logits.csv"):
            assert one.read(name) == other.read(name)


def test_a_damaged_block_is_a_one_line_error(runs: list[Run], tmp_path: Path, capsys) -> None:
    path = tmp_path / "teacher0.zip"
    write_block(path, as_block(runs), block_scores(runs))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert f"{path}: damaged" in refused(["compare", path], capsys)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("runs.json", json.dumps({"version": 2}))
    assert f"{path}: Invalid enum value 2" in refused(["compare", path], capsys)


def test_blocks_of_two_recipes_are_refused_with_what_differs(
    runs: list[Run], tmp_path: Path, capsys
) -> None:
    for seed, epochs in ((0, 15), (1, 30)):
        block = as_block(runs, teacher_seed=seed, recipe={"trainer/mini max_epochs": epochs})
        write_block(tmp_path / f"teacher{seed}.zip", block, block_scores(runs))
    line = refused(["compare", tmp_path], capsys)
    assert "teacher1.zip: made with trainer/mini max_epochs 30, but here it is 15" in line


def test_blocks_tested_on_two_renderings_of_a_store_fit_together(
    runs: list[Run], tmp_path: Path, capsys
) -> None:
    for seed, store in ((0, "a1"), (1, "b2")):
        block = as_block(runs, teacher_seed=seed, test_crops={"photographs": store})
        write_block(tmp_path / f"teacher{seed}.zip", block, block_scores(runs))
    assert len(read_blocks(tmp_path)) == 2
    write_block(tmp_path / "teacher1.zip", as_block(runs, teacher_seed=1), block_scores(runs))
    line = refused(["compare", tmp_path], capsys)
    assert "teacher1.zip: made with test_crops [], but here it is ['photographs']" in line


def test_other_test_sets_than_recorded_are_refused_before_anything_is_rendered(
    runs: list[Run], tmp_path: Path, capsys
) -> None:
    recipe = read_recipe("claims")
    record = Record(tmp_path / "record", recipe, recipe.experiment)
    made = {"recipe": record.settings, "planned": record.blocks()[0][0].names}
    block = as_block(runs, **made, test_crops={"photographs": "a1"})
    write_block(block_path(record.folder, 0), block, block_scores(runs))
    data = tmp_path / "data"
    line = refused(
        ["reproduce", "--setting=claims", f"--record={record.folder}", f"--data={data}"], capsys
    )
    assert "teacher0.zip: tested on test_crops ['photographs'], but here it is []" in line
    assert "pass the same stores with --test_crops" in line
    assert not data.exists()


@pytest.mark.parametrize("command", ["compare", "report"])
def test_a_block_of_two_renderings_is_refused(
    command: str, runs: list[Run], tmp_path: Path, capsys
) -> None:
    infos = [structs.replace(r.results.run, teacher_seed=0, manifest_hash="a") for r in runs]
    infos[-1] = structs.replace(infos[-1], manifest_hash="b")
    results = [structs.replace(r.results, run=i) for r, i in zip(runs, infos, strict=True)]
    path = tmp_path / "teacher0.zip"
    write_block(path, structs.replace(as_block(runs), runs=results), block_scores(runs))
    assert "expected one rendering for a teacher and its students" in refused(
        [command, path], capsys
    )


def test_a_report_is_made_from_blocks(runs: list[Run], tmp_path: Path, capsys) -> None:
    write_block(tmp_path / "record" / "teacher0.zip", as_block(runs), block_scores(runs))
    main(["report", str(tmp_path / "record"), f"--out={tmp_path / 'report'}"])
    assert (tmp_path / "report" / "report.html").is_file()
    main(["report", str(tmp_path / "report")])
    assert "C1" in capsys.readouterr().out


@pytest.mark.parametrize(("trainer", "epochs"), [("max_epochs: 3", 3), ("max_steps: 9", None)])
def test_a_recipe_that_sets_no_epochs_is_concluded(
    trainer: str, epochs: int | None, runs: list[Run], tmp_path: Path
) -> None:
    for name, setting in (("own", trainer), ("teacher", "max_epochs: 5")):
        (tmp_path / f"{name}.yaml").write_text(f"trainer: {{{setting}}}\n")
    configs, teacher = [str(tmp_path / "own.yaml")], str(tmp_path / "teacher.yaml")
    recipe = structs.replace(read_recipe("mini"), configs=configs, teacher=teacher)
    record = Record(tmp_path / "record", recipe, Experiment(teacher_seeds=[0]))
    write_block(block_path(record.folder, 0), as_block(runs), block_scores(runs))
    record.conclude()
    concluded = read_experiment_claims(record.folder)
    assert concluded is not None
    assert concluded.epochs == epochs


def test_students_are_numbered_through() -> None:
    experiment = Experiment(
        methods=["student"], seeds=[0, 1, 2], teacher_seeds=[0, 2], ablations=["mgda"]
    )
    first, second = experiment.blocks()
    assert first.names[:3] == ["teacher-seed0", "student-seed0", "mgda-seed0"]
    assert second.names == ["teacher-seed2", "student-seed6", "student-seed7", "student-seed8"]
    first, second = experiment.blocks(dropped={0})
    assert first.names[:3] == ["teacher-seed3", "student-seed9", "mgda-seed9"]
    with pytest.raises(InputError, match="seeds 1 2 with teacher_seeds: expected 0 to 1"):
        structs.replace(experiment, seeds=[1, 2]).blocks()
    (alone,) = structs.replace(experiment, teacher_seeds=None, seeds=[4, 5]).blocks()
    assert (alone.teacher_seed, alone.seeds) == (4, [4, 5])
