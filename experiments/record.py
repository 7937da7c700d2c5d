"""The committed record of an experiment: a file per teacher, from which it is resumed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from msgspec import structs
from rich.console import Console

from errors import InputError, refuse_difference
from evaluation.comparison.claims import judge_claims
from evaluation.comparison.differences import check_same_videos
from evaluation.comparison.ladder import ladder_order
from evaluation.comparison.protocols import check_comparable
from evaluation.comparison.reproduction import MINIATURE_PREFIX, Reproduction, judged
from evaluation.comparison.run import Run, find_runs, read_run
from experiments.experiment import BlockPlan, Experiment
from experiments.ladder import Block, Ladder, recipe_hash, rung_settings
from experiments.recipe import Recipe
from experiments.runner import exit_if_failed, run_all
from experiments.sources import Sources
from records.blocks import (
    VIDEO,
    BlockRecord,
    ExperimentClaims,
    block_files,
    block_path,
    claims_path,
    drop_block,
    dropped_blocks,
    read_block,
    read_experiment_claims,
    write_block,
)
from records.data_info import DataInfo
from records.files import write_record
from records.folder import RunFolder
from records.scores import PEOPLE

REMEDY = "keep the record of another experiment in another folder, see --record"
TESTS_REMEDY = f"pass the same stores with --test_crops, or {REMEDY}"


@dataclass(frozen=True)
class Record:
    """A folder with the files of an experiment's blocks, and with its claims."""

    folder: Path
    recipe: Recipe
    experiment: Experiment

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Every setting of the runs, by file and key."""
        return dict(_flat(rung_settings(self.recipe, self.experiment.rungs)))

    def blocks(self) -> list[tuple[BlockPlan, BlockRecord | None]]:
        """Return the blocks, each with what is recorded of it.

        Teachers whose unfinished blocks were dropped have other seeds.

        Raises:
            InputError: The teachers' seeds are not named, or a block of the folder is damaged or
                of another recipe.
        """
        if self.experiment.teacher_seeds is None:
            msg = "--record: expected --teacher_seeds, which number the students of each teacher"
            raise InputError(msg)
        dropped = {read_block(path).teacher_seed for path in dropped_blocks(self.folder)}
        return [(plan, self._recorded(plan)) for plan in self.experiment.blocks(dropped)]

    def is_complete(self) -> bool:
        """Return whether all runs of all blocks are recorded; see `blocks` for errors."""
        return all(block is not None and block.complete for _, block in self.blocks())

    def _recorded(self, plan: BlockPlan) -> BlockRecord | None:
        path = block_path(self.folder, plan.teacher_seed)
        if not path.exists():
            return None
        block = read_block(path)
        made = dict.fromkeys(block.planned, "planned") | block.recipe
        here = dict.fromkeys(plan.names, "planned") | self.settings
        refuse_difference(f"{path}: made with", made, here, REMEDY)
        return block

    def check_tests(self, sources: Sources) -> None:
        """Check that the recorded runs were tested on further crop stores of the same names.

        This needs no data set, so that it can come before one is rendered.

        Raises:
            InputError: They were not, or see `blocks`.
        """
        here = {"test_crops": sorted(sources.tested_elsewhere())}
        for plan, block in self.blocks():
            if block is not None:
                made = {"test_crops": sorted(block.test_crops)}
                path = block_path(self.folder, plan.teacher_seed)
                refuse_difference(f"{path}: tested on", made, here, TESTS_REMEDY)

    def resume(self, ladder: Ladder, console: Console, *, train: bool) -> list[Block]:
        """Return the unfinished blocks; their recorded runs count as finished.

        A block is resumed on the same rendering and with the same teacher: that of the ladder's
        folder, or one that is trained again and has the recorded figures, to the last digit. Any
        other unfinished block is dropped: its runs are listed, and another teacher replaces it.

        Args:
            ladder: The runs of the experiment.
            console: Where the progress is shown.
            train: Train the missing teachers of unfinished blocks again. Otherwise these blocks are
                returned before their teachers can be compared.

        Raises:
            InputError: A block is of other data, or see `blocks`.
        """
        data = dict(_flat(ladder.sources.settings()))
        blocks = []
        for plan, recorded in self.blocks():
            path, block = block_path(self.folder, plan.teacher_seed), ladder.block(plan)
            if recorded is not None:
                refuse_difference(f"{path}: made from", recorded.data, data, REMEDY)
                if recorded.complete:
                    continue
                if why := _difference(recorded, block, ladder, console, train=train):
                    names = " ".join(results.run.name for results in recorded.runs)
                    console.print(f"dropped: {drop_block(path)}, unfinished and {why}: {names}")
                    return self.resume(ladder, console, train=train)
                made = {results.run.name for results in recorded.runs}
                students = [
                    replace(run, finished=path) if run.name in made else run
                    for run in block.students
                ]
                block = replace(block, students=students)
            blocks.append(block)
        return blocks

    def keep(self, block: Block, ladder: Ladder) -> None:
        """Write the finished runs of a block; see `read_run` for errors."""
        path = block_path(self.folder, block.plan.teacher_seed)
        found = {run.name: run for run in (find_runs(path) if path.exists() else [])}
        for name in block.plan.names:
            if RunFolder(ladder.folder / name).results.is_file():
                found[name] = read_run(ladder.folder / name)
        if not found:
            return
        runs = [found[name] for name in block.plan.names if name in found]
        provenance = runs[0].provenance
        record = BlockRecord(
            teacher_seed=int(block.plan.teacher_seed),  # not jsonargparse's
            recipe=self.settings,
            data=dict(_flat(ladder.sources.settings())),
            manifest_hash=ladder.sources.manifest_hash,
            test_crops=ladder.sources.tested_elsewhere(),
            planned=block.plan.names,
            machine=provenance.machine if provenance else None,
            runs=[run.results for run in runs],
        )
        write_block(path, record, block_scores(runs))

    def _epochs(self) -> int | None:
        """Return the epochs of the students, None if no config file of theirs sets them."""
        students = structs.replace(self.recipe, teacher=self.recipe.student)
        settings = _flat(rung_settings(students, self.experiment.rungs))
        found: list[int | None] = [v for key, v in settings if key.endswith("trainer.max_epochs")]
        return found[-1] if found else None

    def conclude(self) -> Reproduction:
        """Judge the claims over all blocks, and write claims.json.

        Raises:
            InputError: The runs are not comparable.
        """
        runs = ladder_order(find_runs(self.folder))
        check_comparable(runs, any_protocol=False)
        for test in runs[0].metrics():
            check_same_videos(runs, test)
        claims = judge_claims(runs)
        before = read_experiment_claims(self.folder)
        looks = judged(before.judged if before else [], len(runs))
        protocol = runs[0].protocol
        data = DataInfo(
            name=protocol.dataset,
            miniature=protocol.dataset.startswith(MINIATURE_PREFIX),
            compression=protocol.compression,
            recipe=recipe_hash(self.recipe),
        )
        dropped = [read_block(path) for path in dropped_blocks(self.folder)]
        concluded = ExperimentClaims(
            data=data,
            epochs=self._epochs(),
            claims=claims,
            blocks=[path.name for path in block_files(self.folder)],
            dropped=[results.run.name for block in dropped for results in block.runs],
            judged=looks,
        )
        write_record(claims_path(self.folder), concluded)
        return Reproduction(self.folder, runs, claims, data, looks)


def _difference(
    recorded: BlockRecord, block: Block, ladder: Ladder, console: Console, *, train: bool
) -> str | None:
    """Return why an unfinished block cannot be resumed here; None if it can."""
    made = (recorded.manifest_hash, recorded.test_crops)
    if made != (ladder.sources.manifest_hash, ladder.sources.tested_elsewhere()):
        return "of another rendering"
    if train and not block.teacher.is_finished:
        exit_if_failed(run_all([block.teacher], [{}], console), console)
    if not block.teacher.is_finished:
        return None
    before, here = recorded.runs[0], read_run(ladder.folder / block.teacher.name).results
    same = (before.metrics, before.branches) == (here.metrics, here.branches)
    return None if same else "its teacher has other figures here"


def block_scores(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the scores of all test sets, a column per run and per branch of the teacher.

    The first columns are VIDEO, and PEOPLE if a run knows them.
    """
    tables = {}
    for run in runs:
        for branch in (None, *run.results.branches):
            tests = [run.scored(test, branch=branch) for test in run.metrics(branch)]
            tables[f"{run.name}/{branch}" if branch else run.name] = pd.concat(tests)
    columns = {name: table.set_index(VIDEO)["score"] for name, table in tables.items()}
    scores = pd.DataFrame(columns).reset_index()
    known = [table[[*VIDEO, *PEOPLE]] for table in tables.values() if set(PEOPLE) <= set(table)]
    if not known:
        return scores
    people = pd.concat(known).drop_duplicates(VIDEO)
    return scores.merge(people, how="left", on=VIDEO).fillna(dict.fromkeys(PEOPLE, ""))


def _flat(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the settings of nested mappings by their dotted names."""
    if not isinstance(settings, dict):
        yield name, settings
        return
    for key, value in settings.items():
        yield from _flat(value, f"{name}.{key}" if name else str(key))
