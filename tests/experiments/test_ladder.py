import os
import subprocess
from pathlib import Path

import pytest
from msgspec import structs
from rich.console import Console

from experiments.experiment import Experiment
from experiments.ladder import Ladder, recipe_hash, rung_settings
from experiments.recipe import CONFIGS, read_recipe
from experiments.sources import Sources

RUNGS = ["student", "spatial", "naive", "two-in-one"]


@pytest.fixture
def ladder() -> Ladder:
    sources = Sources(Path("mini"), [], Path("crops"), "c23")
    return Ladder(Path("runs"), sources, read_recipe("mini"), devices=1)


def test_the_rung_with_most_targets_starts_first_and_one_without_beside_it(ladder: Ladder) -> None:
    assert ladder.start_order(RUNGS) == ["naive", "student", "spatial", "two-in-one"]


def test_a_rung_that_names_no_targets_distils_all(ladder: Ladder, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("model: {init_args: {distance: cosine}}\nrun: {method: own}\n")
    assert ladder.start_order([*RUNGS, str(own)])[0] == str(own)


def test_without_shared_targets_the_order_is_that_of_the_rungs(ladder: Ladder) -> None:
    recipe = structs.replace(ladder.recipe, share_targets=False)
    alone = Ladder(ladder.folder, ladder.sources, recipe, devices=1)
    assert alone.start_order(RUNGS) == RUNGS


def test_the_jobs_of_a_cluster_follow_each_other(tmp_path: Path) -> None:
    """With a stand-in for sbatch, which prints a job's number and notes its arguments."""
    asked = tmp_path / "asked"
    sbatch = tmp_path / "sbatch"
    sbatch.write_text(f'#!/bin/bash\necho "$*" >> {asked}\nwc -l < {asked}\n')
    sbatch.chmod(0o755)
    script = CONFIGS / "slurm" / "ladder.sbatch"
    path = f"{tmp_path}:{os.environ['PATH']}"
    variables = {"PATH": path, "TEACHERS": "2", "STUDENTS": "3"}
    subprocess.run(["bash", script, "--record=kept"], env=variables, check=True)
    own = f"{script} --record=kept"
    always = "--parsable --kill-on-invalid-dep=yes"
    assert asked.read_text().splitlines() == [
        f"{always} --array=0 {own}",
        f"{always} --array=1-1 --dependency=afterok:1 {own}",
        f"{always} --array=2-4 --dependency=afterok:2 {own}",
        f"{always} --dependency=afterok:3 {own}",
    ]


def test_teachers_of_several_blocks_train_at_once_on_several_gpus(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(
        "experiments.ladder.run_all",
        lambda runs, environments, console: calls.append([run.name for run in runs]) or [],
    )
    plans = Experiment(methods=["student"], teacher_seeds=[0, 1]).blocks()
    blocks = [ladder.block(plan) for plan in plans]
    each = [["teacher-seed0"], ["student-seed0"], ["teacher-seed1"], ["student-seed1"]]
    ladder.run(blocks, [{"OMP_NUM_THREADS": "1"}] * 2, Console(quiet=True))
    assert calls == each
    calls.clear()
    ladder.run(blocks, [{"CUDA_VISIBLE_DEVICES": str(i)} for i in range(2)], Console(quiet=True))
    assert calls == [["teacher-seed0", "teacher-seed1"], *each]


def test_a_student_alone_belongs_to_a_teacher_too(ladder: Ladder) -> None:
    (plan,) = Experiment(methods=["student"], seeds=[3]).blocks()
    (student,) = ladder.block(plan).students
    assert "--run.teacher_seed=3" in student.argv
    assert not [word for word in student.argv if "init_args.teacher=" in word]


def test_settings_go_by_the_names_of_their_files_and_by_paths_where_these_are_the_same(
    tmp_path: Path,
) -> None:
    recipe = read_recipe("mini")
    shipped = ["data/mini.yaml", "trainer/mini.yaml", "teacher/mini.yaml", "student/mini.yaml"]
    assert list(rung_settings(recipe, ["naive"])) == [*shipped, "methods/naive.yaml"]
    paths = [tmp_path / name for name in ("alone.yaml", "a/own.yaml", "b/own.yaml")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"data: {{image_size: {64 if path.name == 'alone.yaml' else 96}}}\n")
    own = structs.replace(recipe, configs=[str(path) for path in paths])
    names = ["alone.yaml", str(paths[1]), str(paths[2]), "teacher/mini.yaml", "student/mini.yaml"]
    assert list(rung_settings(own, [])) == names
    before = recipe_hash(own)
    paths[1].write_text("data: {image_size: 128}\n")
    assert recipe_hash(own) != before


def test_the_claims_differ_from_the_miniature_in_schedule_people_and_runs() -> None:
    claims, mini = read_recipe("claims"), read_recipe("mini")
    assert claims.people is not None
    assert claims.people.test >= 160
    same = {key: getattr(mini, key) for key in ("experiment", "configs", "student")}
    assert structs.replace(claims, people=None, **same) == mini
    assert recipe_hash(claims) == recipe_hash(mini)
    assert recipe_hash(claims) != recipe_hash(read_recipe("ffpp"))
    blocks = claims.experiment.blocks()
    assert [block.teacher_seed for block in blocks] == [0, 1, 2, 3]
    assert [seed for block in blocks for seed in block.seeds] == list(range(12))
    assert len(blocks[0].methods) == len(blocks[1].methods) + 4
    assert [block.seeds for block in read_recipe("claims-faces").experiment.blocks()] == [
        [0, 1],
        [2, 3],
        [4, 5],
    ]
