import hashlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse.typing import NonNegativeInt, PositiveInt
from msgspec import structs
from rich.console import Console

from cli.mini_ffpp import mini_ffpp
from cli.profile import profile
from cli.robustness import robustness
from datamodules.crops.store import CropStore, ExtractionSettings
from errors import InputError
from evaluation.comparison.reproduction import write_reproduction
from evaluation.comparison.run import read_run
from evaluation.report.report import write_report
from evaluation.report.terminal import print_reproduction
from experiments.extraction import plan_extraction
from experiments.ladder import Ladder, Sources, describe_data, name_reproduction
from experiments.recipe import Measures, Recipe, find_config, read_recipe
from experiments.runner import PlannedRun, exit_if_failed, run_all, slots
from records.folder import RunFolder
from records.measurements import PROFILE, Measurements, read_measurements

LADDER = ("student", "spatial", "naive", "shared-trunk", "two-in-one")


def reproduce(
    ffpp_root: Path | None = None,
    celebdf_root: list[Path] | None = None,
    faces: Path | None = None,
    compression: Literal["raw", "c23", "c40"] = "c23",
    seeds: list[NonNegativeInt] = [0],  # noqa: B006 -- read only; None would hide the default from --help
    methods: list[str] | None = None,
    devices: PositiveInt = 1,
    jobs: PositiveInt | None = None,
    setting: str | None = None,
    data: Path = Path("data"),
    out: Path = Path("runs/reproduce-ffpp"),
) -> None:
    """Run the whole experiment: face extraction, teacher, students, tests and report.

    Without a root the embedded miniature is generated and used. The same command resumes:
    finished stages and runs are reused.

    Args:
        ffpp_root: Root of FaceForensics++. Default: the miniature.
        celebdf_root: Root of Celeb-DF, or of both v1 and v2, for cross-data-set tests.
        faces: Folder of videos of real faces, one person per file, to generate the miniature from.
        compression: Compression of FaceForensics++.
        seeds: Seeds of the students; the teacher is trained once, with the first. A seed gives the
            same figures on the same kind of processor, see docs/data.md.
        methods: Rungs of the ladder: names of configs/methods, e.g. frequency or dedicated, or
            config files like these. Default: student, spatial, naive, shared-trunk,
            two-in-one.
        devices: Devices per run.
        jobs: Students at a time, which share the GPUs or the cores; with other cores per student,
            figures may differ in their last digits. Default: one per GPU, or one per core, 4 at
            most.
        setting: A recipe: mini, faces or ffpp of configs/reproduce, or a file like these. Default:
            ffpp with --ffpp_root, faces with --faces, else mini.
        data: Folder for the miniature and the crops.
        out: Folder for the runs.

    Raises:
        InputError: An option is wrong, or an earlier run cannot be read.
    """
    recipe = read_recipe(setting or ("ffpp" if ffpp_root else "faces" if faces else "mini"))
    rungs, seeds = list(dict.fromkeys(methods or LADDER)), list(dict.fromkeys(seeds))
    for method in rungs:
        find_config(method, "methods")
    if devices > 1 and (jobs or 1) > 1:
        msg = f"--jobs {jobs} with --devices {devices}: runs on several devices run one at a time"
        raise InputError(msg)
    environments = slots(1 if devices > 1 else jobs)

    console = Console(highlight=False, soft_wrap=True)
    console.rule("data")
    frames = recipe.extraction.frames_per_video
    sources = _prepare_data(ffpp_root, celebdf_root or [], faces, data, compression, frames)
    _extract(sources, recipe, devices, console)
    folder = out / name_reproduction(sources, recipe, rungs)
    ladder = Ladder(folder, sources, recipe, devices, jobs=len(environments))
    teacher = ladder.teacher(seeds[0])
    checkpoint = RunFolder(folder / teacher.name).best
    students = {(s, m): ladder.student(m, s, checkpoint) for s in seeds for m in rungs}
    run_folders = [folder / run.name for run in (teacher, *students.values())]
    for run in run_folders:
        if RunFolder(run).results.is_file():
            read_run(run)  # an unreadable run is an error before others are trained
    began = time.time()
    exit_if_failed(run_all([teacher], [{}], console), console)
    console.rule("students")
    started = [students[s, method] for s in seeds for method in ladder.start_order(rungs)]
    exit_if_failed(run_all(started, environments, console), console)
    shutil.rmtree(ladder.targets, ignore_errors=True)
    description = describe_data(sources, folder)
    if all(RunFolder(run).results.stat().st_mtime > began for run in run_folders):
        description = structs.replace(description, seconds=time.time() - began)
    reproduction = write_reproduction(folder, [read_run(run) for run in run_folders], description)
    link = out / ".latest.partial"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(out / "latest")
    console.rule("cost and robustness")
    _measure(run_folders, folder, recipe.measures)
    console.rule("report")
    paths = write_report(reproduction, CropStore(sources.crops))
    print_reproduction(reproduction, paths, console)


def _prepare_data(
    ffpp_root: Path | None,
    celebdf_root: list[Path],
    faces: Path | None,
    data: Path,
    compression: Literal["raw", "c23", "c40"],
    frames: int,
) -> Sources:
    """Return the data sets; render a miniature with what the runs use, unless there is a root."""
    if ffpp_root is not None:
        if faces is not None:
            msg = "--faces makes a miniature, --ffpp_root names a data set: leave one of them out"
            raise InputError(msg)
        return Sources(
            ffpp_root, celebdf_root, data / f"ffpp-{_short_hash(ffpp_root)}-crops", compression
        )
    if compression == "raw":
        msg = "--compression raw: the miniature has c23 and c40, raw needs --ffpp_root"
        raise InputError(msg)
    name = "mini-ffpp" if faces is None else f"mini-ffpp-faces-{_short_hash(faces)}"
    celeb_df = data / f"{name}-celeb-df"
    mini_ffpp(
        data / name,
        frames=max(2, frames),
        faces=faces,
        celeb_df=celeb_df,
        compressions=[compression],
        masks=False,
    )
    return Sources(data / name, celebdf_root or [celeb_df], data / f"{name}-crops", compression)


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
