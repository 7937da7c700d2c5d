import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from jsonargparse.typing import NonNegativeInt, PositiveInt
from msgspec import structs
from rich.console import Console

from cli.mini_ffpp import mini_ffpp
from cli.profile import profile
from cli.robustness import robustness
from datamodules.crops.store import CropStore, ExtractionSettings
from datamodules.mini_ffpp.real_faces import find_people
from errors import InputError
from evaluation.comparison.reproduction import write_reproduction
from evaluation.comparison.run import read_run
from evaluation.report.report import write_report
from evaluation.report.terminal import print_reproduction
from experiments.extraction import plan_extraction
from experiments.ladder import Block, Ladder, name_reproduction, recipe_hash
from experiments.recipe import (
    Measures,
    People,
    Recipe,
    check_rungs,
    read_recipe,
    shipped_rungs,
)
from experiments.record import Record
from experiments.runner import PlannedRun, exit_if_failed, run_all, slots
from experiments.sources import Sources, describe_data, require_crops
from records.blocks import claims_path
from records.folder import RunFolder
from records.measurements import PROFILE, Measurements, read_measurements

MANY_PEOPLE = 100
"""Real faces of this many people need no more frames and epochs than rendered ones."""


def reproduce(
    ffpp_root: Path | None = None,
    celebdf_root: list[Path] | None = None,
    faces: Path | None = None,
    test_crops: list[Path] | None = None,
    compression: Literal["raw", "c23", "c40"] = "c23",
    seeds: list[NonNegativeInt] | None = None,
    teacher_seeds: list[NonNegativeInt] | None = None,
    methods: list[str] | None = None,
    devices: PositiveInt = 1,
    jobs: PositiveInt | None = None,
    setting: str | None = None,
    record: Path | None = None,
    index: NonNegativeInt | None = None,
    data: Path = Path("data"),
    out: Path = Path("runs/reproduce-ffpp"),
) -> None:
    """Run the whole experiment: face extraction, teachers, students, tests and report.

    Without a root the embedded miniature is generated and used. The same command resumes:
    finished stages and runs are reused.

    Args:
        ffpp_root: Root of FaceForensics++. Default: the miniature.
        celebdf_root: Root of Celeb-DF, or of both v1 and v2, for cross-data-set tests.
        faces: Folder of real faces to generate the miniature from: videos or photographs, a file or
            a folder per person.
        test_crops: Further crop stores, e.g. of another miniature, on whose test splits all runs
            are tested too.
        compression: Compression of FaceForensics++.
        seeds: Seeds of the students. A seed gives the same figures on the same kind of processor,
            see docs/data.md. Default: those of the recipe, or 0.
        teacher_seeds: Seeds of the teachers. Each has students of its own, numbered through: with
            --seeds 0 1 2, teacher t has the students 3t, 3t + 1 and 3t + 2. Default: those of the
            recipe, or one teacher for all --seeds, with the first of them.
        methods: Rungs of the ladder: names of configs/methods, e.g. frequency or dedicated, or
            config files like these. Default: those of the recipe, or student, spatial, naive,
            shared-trunk, two-in-one.
        devices: Devices per run.
        jobs: Students at a time, which share the GPUs or the cores; with other cores per student,
            figures may differ in their last digits. Default: one per GPU, or one per core, 4 at
            most.
        setting: A recipe: mini, faces, ffpp, ffpp-8gpu, claims or claims-faces of
            configs/reproduce, or a file like these. Default: ffpp with --ffpp_root, faces with
            --faces of fewer than 100 people, else mini.
        record: Folder that keeps a small file per teacher with the results and video scores of its
            students, and the claims over all of them instead of a report. Recorded teachers are
            not run again, not even elsewhere.
        index: Run only the run of this number, for job arrays: first the teachers, of which 0 also
            prepares the data, then their students. The same command without --index collects.
        data: Folder for the miniature and the crops.
        out: Folder for the runs.

    Raises:
        InputError: An option is wrong, or an earlier run cannot be read.
    """
    recipe = read_recipe(setting or _default_setting(ffpp_root, faces))
    experiment = recipe.experiment.chosen(methods, seeds, teacher_seeds)
    check_rungs(experiment.rungs)
    if devices > 1 and (jobs or 1) > 1:
        msg = f"--jobs {jobs} with --devices {devices}: runs on several devices run one at a time"
        raise InputError(msg)
    environments = slots(1 if devices > 1 or index is not None else jobs)
    kept = None if record is None else Record(record, recipe, experiment)
    console = Console(markup=False, highlight=False, soft_wrap=True)
    if kept and kept.is_complete():
        _conclude(kept, console)
        return

    console.rule("data")
    sources = _sources(ffpp_root, celebdf_root or [], faces, data, compression, recipe.people)
    sources = replace(sources, test_crops=test_crops or [])
    sources.tested_elsewhere()
    if kept:
        kept.check_tests(sources)
    if index:
        require_crops(sources.crops, f"--index {index}: run --index 0 first, which makes them")
    else:
        if ffpp_root is None:
            _render(sources, faces, recipe)
        _extract(sources, recipe, devices, console)
    # A ladder may be extended by every other rung, a record may not.
    rungs = experiment.rungs if kept else [*shipped_rungs(), *experiment.rungs]
    folder = out / name_reproduction(sources, recipe, rungs)
    if index is not None:  # nodes do not share the memory in which students share targets
        recipe = structs.replace(recipe, share_targets=False)
    ladder = Ladder(folder, sources, recipe, devices, jobs=len(environments))
    if kept:
        blocks = kept.resume(ladder, console, train=index is None)
    else:
        blocks = [ladder.block(plan) for plan in experiment.blocks()]
    if index is not None:
        exit_if_failed(run_all([ladder.run_of(index, blocks)], environments, console), console)
        return
    began = time.time()
    keep = partial(kept.keep, ladder=ladder) if kept else None
    exit_if_failed(ladder.run(blocks, environments, console, keep), console)
    if kept:
        _conclude(kept, console)
    else:
        _report(ladder, blocks, began, console)


def _default_setting(ffpp_root: Path | None, faces: Path | None) -> str:
    if ffpp_root is not None:
        return "ffpp"
    return "faces" if faces is not None and len(find_people(faces)) < MANY_PEOPLE else "mini"


def _conclude(kept: Record, console: Console) -> None:
    console.rule("claims")
    print_reproduction(kept.conclude(), [claims_path(kept.folder)], console)


def _report(ladder: Ladder, blocks: Sequence[Block], began: float, console: Console) -> None:
    """Judge the claims, measure cost and robustness, and write the report of finished runs."""
    folder, out = ladder.folder, ladder.folder.parent
    runs = [folder / name for block in blocks for name in block.plan.names]
    recipe = recipe_hash(ladder.recipe)
    description = structs.replace(describe_data(ladder.sources, folder), recipe=recipe)
    if all(RunFolder(run).results.stat().st_mtime > began for run in runs):
        description = structs.replace(description, seconds=time.time() - began)
    reproduction = write_reproduction(folder, [read_run(run) for run in runs], description)
    link = out / ".latest.partial"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(out / "latest")
    console.rule("cost and robustness")
    _measure(runs, folder, ladder.recipe.measures)
    console.rule("report")
    paths = write_report(reproduction, CropStore(ladder.sources.crops))
    print_reproduction(reproduction, paths, console)


def _sources(
    ffpp_root: Path | None,
    celebdf_root: list[Path],
    faces: Path | None,
    data: Path,
    compression: Literal["raw", "c23", "c40"],
    people: People | None,
) -> Sources:
    """Return the data sets, or the miniatures that stand for them."""
    if ffpp_root is not None:
        if faces is not None:
            msg = "--faces makes a miniature, --ffpp_root names a data set: leave one of them out"
            raise InputError(msg)
        return Sources(
            ffpp_root, celebdf_root, data / f"ffpp-{_short_hash(ffpp_root)}-crops", compression
        )
    name = "mini-ffpp" if faces is None else f"mini-ffpp-faces-{_short_hash(faces)}"
    if people is not None:
        name += f"-{people.train}-{people.val}-{people.test}"
    celeb_df = celebdf_root or [data / f"{name}-celeb-df"]
    return Sources(data / name, celeb_df, data / f"{name}-crops", compression)


def _render(sources: Sources, faces: Path | None, recipe: Recipe) -> None:
    """Render the miniatures with what the runs use."""
    if sources.compression == "raw":
        msg = "--compression raw: the miniature has c23 and c40, raw needs --ffpp_root"
        raise InputError(msg)
    mini_ffpp(
        sources.ffpp,
        frames=max(2, recipe.extraction.frames_per_video),
        faces=faces,
        celeb_df=sources.ffpp.with_name(f"{sources.ffpp.name}-celeb-df"),
        compressions=[sources.compression],
        masks=False,
        **(structs.asdict(recipe.people) if recipe.people else {}),
    )


def _short_hash(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]


def _extract(sources: Sources, recipe: Recipe, devices: int, console: Console) -> None:
    compression, size = sources.compression, recipe.extraction.size
    settings = ExtractionSettings(size, 1.3, recipe.extraction.frames_per_video)
    for root in (sources.ffpp, *sources.celeb_df):
        plan = plan_extraction(root, sources.crops, settings, compression)
        if plan.store.is_finished and not plan.pending:
            console.print(f"reused: crops of {root} in {sources.crops}")
            continue
        options = {"root": root, "out": sources.crops, "devices": devices, "size": size}
        options |= {"compression": compression, "frames_per_video": settings.frames_per_video}
        argv = ["extract", *(f"--{name}={value}" for name, value in options.items())]
        run = PlannedRun(name=f"faces of {root}", argv=argv)
        exit_if_failed(run_all([run], [{}], console), console)


def _measure(runs: Sequence[Path], folder: Path, measures: Measures) -> None:
    try:
        measured = read_measurements(folder)
    except InputError:  # damaged, or of another version
        measured = Measurements()
    if all(measured.cost_of(run.name) for run in runs):
        print(f"reused: {folder / PROFILE}")
    else:
        profile(list(runs), out=folder, rounds=measures.rounds)
    known = measured.robustness.corruptions if measured.robustness else ()
    names = dict.fromkeys([*measures.corruptions, *known])
    robustness(list(runs), out=folder, corruptions=list(names), num_workers=measures.num_workers)
