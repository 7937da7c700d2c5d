"""The ladder of a reproduction: methods and seeds on one crop store, as runs to be run."""

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from errors import InputError, refuse_difference
from evaluation.comparison.claims import STUDENTS
from evaluation.comparison.run import Run, read_run
from experiments.experiment import TEACHER, BlockPlan, run_name
from experiments.recipe import CONFIGS, Recipe, find_config, read_config
from experiments.runner import GPU, PlannedRun, run_all
from experiments.sources import Sources
from records.folder import RunFolder


@dataclass(frozen=True)
class Block:
    """The runs of a block, the students in the order in which they start."""

    plan: BlockPlan
    teacher: PlannedRun
    students: list[PlannedRun]


@dataclass(frozen=True)
class Ladder:
    """The runs of methods, teachers and seeds on one crop store.

    Attributes:
        folder: Folder of the reproduction, in which each run has a folder of its own.
        devices: Devices per run.
        jobs: Students at a time. The output of one run is shown, that of several goes to log.txt
            files.
    """

    folder: Path
    sources: Sources
    recipe: Recipe
    devices: int
    jobs: int = 1

    @property
    def targets(self) -> Path:
        """Folder of the teacher's targets, which all students of a seed share."""
        return self.folder / "teacher-targets"

    def block(self, plan: BlockPlan) -> Block:
        """Return the runs of a block.

        Raises:
            InputError: A finished run belongs to another teacher or to other data, or is damaged.
        """
        for name in plan.names:
            if RunFolder(self.folder / name).results.is_file():
                self._check(read_run(self.folder / name), plan)
        config = find_config(self.recipe.teacher)
        teacher = self._plan(TEACHER, plan.teacher_seed, plan, [config])
        rungs = self.start_order(plan.methods)
        students = [self._student(rung, seed, plan) for seed in plan.seeds for rung in rungs]
        if self.jobs > 1:
            students = [self._logged(run) for run in students]
        return Block(plan, teacher, students)

    def _check(self, run: Run, plan: BlockPlan) -> None:
        """Refuse a run of another block, with which the others would not be comparable."""
        info = run.results.run
        subject = f"{run.folder}: made with"
        made = {"teacher seed": info.teacher_seed, "manifest": info.manifest_hash}
        here = {"teacher seed": plan.teacher_seed, "manifest": self.sources.manifest_hash}
        refuse_difference(subject, made, here, "choose another --out, or remove the run")

    def _student(self, method: str, seed: int, block: BlockPlan) -> PlannedRun:
        """Return the run of a student; a rung that sets `teacher` or `teachers` has its own."""
        rung = find_config(method, "methods")
        configs = [find_config(self.recipe.student), rung]
        own = []
        if not {"teacher", "teachers"} & _model_args(method).keys():
            teacher = RunFolder(self.folder / run_name(TEACHER, block.teacher_seed))
            own.append(f"--model.init_args.teacher={teacher.best}")
            if self.recipe.share_targets:
                own.append("--model.init_args.frozen_teacher.cache=shared")
                own.append(f"--model.init_args.frozen_teacher.folder={self.targets}")
        return self._plan(rung.stem, seed, block, configs, *own)

    def start_order(self, methods: Sequence[str]) -> list[str]:
        """Order rungs so that few compute the same shared targets at the same time.

        The rung with the most targets fills the cache, while those without targets train.
        """
        if not self.recipe.share_targets:
            return list(methods)
        targets = {method: _model_args(method).get("targets") for method in methods}
        # By default a rung distils all branches.
        counts = {m: math.inf if names is None else len(names) for m, names in targets.items()}
        first = max(methods, key=lambda method: counts[method])
        rest = [method for method in methods if method != first]
        return [first, *sorted(rest, key=lambda method: counts[method] > 0)]

    def run(
        self,
        blocks: Sequence[Block],
        environments: Sequence[Mapping[str, str]],
        console: Console,
        ended: Callable[[Block], None] | None = None,
    ) -> list[PlannedRun]:
        """Run the blocks one after the other; with several GPUs all teachers first, one per GPU.

        Args:
            blocks: What to run; finished runs are reused.
            environments: See `run_all`; a teacher that trains alone has all cores.
            console: Where the progress is shown.
            ended: Called with each block that has ended, or that was stopped.

        Returns:
            The runs that failed; the students of a teacher that failed are left out.
        """
        failed = []
        if len(blocks) > 1 and len(environments) > 1 and GPU in environments[0]:
            console.rule("teachers")
            run_all([self._logged(block.teacher) for block in blocks], environments, console)
        for block in blocks:
            try:
                if wrong := run_all([block.teacher], [{}], console):
                    failed += wrong
                    continue
                console.rule(f"students of {block.teacher.name}")
                failed += run_all(block.students, environments, console)
            finally:
                if ended is not None:
                    ended(block)
            shutil.rmtree(self.targets, ignore_errors=True)
        return failed

    def run_of(self, index: int, blocks: Sequence[Block]) -> PlannedRun:
        """Return a run by its number: first the teachers, then the students.

        Raises:
            InputError: There is no such run, or the student's teacher is not trained.
        """
        runs = [(block.teacher, -1) for block in blocks]
        runs += [(student, i) for i, block in enumerate(blocks) for student in block.students]
        if index >= len(runs):
            msg = (
                f"--index {index}: expected 0 to {len(runs) - 1}: {len(blocks)} teachers, then "
                f"{len(runs) - len(blocks)} students"
            )
            raise InputError(msg)
        run, teacher = runs[index]
        if teacher >= 0 and not blocks[teacher].teacher.is_finished:
            name = blocks[teacher].teacher.name
            msg = f"--index {index}: {run.name} needs {name}: run --index {teacher} first"
            raise InputError(msg)
        return run

    def _plan(
        self, method: str, seed: int, block: BlockPlan, configs: Sequence[Path], *own: str
    ) -> PlannedRun:
        folder = self.folder / run_name(method, seed)
        paths = [*(find_config(name) for name in self.recipe.configs), *configs]
        stores = [str(store) for store in self.sources.test_crops]
        argv = [
            "fit",
            *(f"-c={path}" for path in paths),
            f"--data.crops={self.sources.crops}",
            *([f"--data.test_crops={json.dumps(stores)}"] if stores else []),
            f"--data.compression={self.sources.compression}",
            f"--trainer.devices={self.devices}",
            f"--seed_everything={seed}",
            f"--run.dir={folder}",
            f"--run.method={method}",
            f"--run.teacher_seed={block.teacher_seed}",
            "--run.test=true",
            "--run.resume=true",
            *(["--trainer.strategy=ddp"] if self.devices > 1 else []),
            *own,
        ]
        return PlannedRun(name=folder.name, argv=argv, finished=RunFolder(folder).results)

    def _logged(self, run: PlannedRun) -> PlannedRun:
        return replace(run, log=self.folder / run.name / "log.txt")


def _model_args(method: str) -> dict[str, Any]:
    model = read_config(find_config(method, "methods")).get("model")
    arguments: dict[str, Any] | None = model.get("init_args") if isinstance(model, dict) else None
    return arguments or {}


def rung_settings(recipe: Recipe, methods: Sequence[str]) -> dict[str, Any]:
    """Return every setting of the runs of a recipe, by the name of the config file.

    Several files of one's own that have the same name go by their paths.
    """
    rungs = [find_config(method, "methods") for method in methods]
    names = {
        path: str(path.relative_to(CONFIGS) if path.is_relative_to(CONFIGS) else path.name)
        for path in (*recipe.config_files(), *rungs)
    }
    files = Counter(names.values())
    return {
        name if files[name] == 1 else str(path): read_config(path) for path, name in names.items()
    }


def recipe_hash(recipe: Recipe) -> str:
    """Return a hash of the settings of the rungs that the claims compare, without the trainer's.

    `make claims` trains longer than `make reproduce-ffpp`, which shows its verdicts.
    """
    own = [
        {key: value for key, value in content.items() if key != "trainer"}
        for content in rung_settings(recipe, STUDENTS).values()
    ]
    settings = json.dumps([content for content in own if content], sort_keys=True, default=str)
    return hashlib.sha256(settings.encode()).hexdigest()[:16]


def name_reproduction(sources: Sources, recipe: Recipe, methods: Sequence[str]) -> str:
    """Name a reproduction by its data and by every setting of its runs."""
    settings = json.dumps(rung_settings(recipe, methods), sort_keys=True)
    data = "".join([sources.manifest_hash, *sources.tested_elsewhere().values()])
    digest = hashlib.sha256((data + settings).encode()).hexdigest()[:8]
    return f"{sources.crops.name.removesuffix('-crops')}-{sources.compression}-{digest}"
