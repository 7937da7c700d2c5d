import hashlib
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from msgspec import convert, structs

from errors import InputError, look_up
from experiments.runner import CONFIGS, LadderRunner, Sources, measure, run_stage
from records.data_info import DataInfo

RECIPE = (
    "extraction.frames_per_video",
    "extraction.size",
    "configs",
    "teacher",
    "student",
    "measures.rounds",
    "measures.corruptions",
    "measures.num_workers",
)
LADDER = ("student", "spatial", "naive", "two-in-one")


def reproduce(
    ffpp_root: Path | None = None,
    celebdf_root: list[Path] | None = None,
    faces: Path | None = None,
    compression: str = "c23",
    seeds: list[int] = [0],  # noqa: B006 -- read only; None would hide the default from --help
    methods: list[str] | None = None,
    devices: int = 1,
    setting: str | None = None,
    data: Path = Path("data"),
    out: Path = Path("runs/reproduce-ffpp"),
) -> None:
    """Run the whole of the paper: faces, teacher, the ladder of students, tests, a report.

    Without a root it makes and uses the embedded miniature. What is done already is reused:
    the same command goes on where an interrupted one stopped.

    Args:
        ffpp_root: Root of FaceForensics++; default: the miniature.
        celebdf_root: Root of Celeb-DF, or of v1 and of v2, for the tests across data sets.
        faces: Folder of videos of real faces, one identity a file, to make the miniature of.
        compression: raw, c23 or c40.
        seeds: Seeds of the students; the teacher is trained once, with the first.
        methods: Rungs of the ladder, by the names of configs/methods, e.g. student, spatial,
            frequency, naive, dedicated, two-in-one. Default: student, spatial, naive, two-in-one.
        devices: Devices to train on.
        setting: mini, faces or ffpp of configs/reproduce, or a file like these. Default: ffpp
            with a root, faces with --faces, else mini.
        data: Folder for the miniature and the crops.
        out: Folder for the runs.
    """
    from rich.console import Console

    from cli.report import print_ladder
    from evaluation.comparison.reproduction import write_reproduction
    from evaluation.comparison.run import read_run

    ladder = _check_methods(methods)
    setting = setting or ("ffpp" if ffpp_root else "faces" if faces else "mini")
    recipe = _read_recipe(setting)

    console = Console(highlight=False, soft_wrap=True)
    console.rule("data")
    sources = _prepare_data(ffpp_root, celebdf_root, faces, data)
    console.rule("faces")
    _extract(sources, compression, recipe.extraction, devices)
    folder = out / _name(sources, compression, recipe)
    runner = LadderRunner(folder, sources, compression, recipe, devices, console)
    teacher = runner.place("teacher", seeds[0])
    runs = [teacher, *(runner.place(method, seed) for seed in seeds for method in ladder)]
    for run in runs:
        if (run / "results.json").is_file():
            read_run(run)  # what cannot be reported is told before anything is trained
    began = time.time()
    runner.run("teacher", seeds[0], None)
    for seed in seeds:
        for method in ladder:
            runner.run(method, seed, teacher / "checkpoints" / "best.ckpt")
    description = _describe(sources, compression, folder)
    if all((run / "results.json").stat().st_mtime > began for run in runs):
        description = structs.replace(description, seconds=time.time() - began)
    reproduction = write_reproduction(folder, [read_run(run) for run in runs], description)
    _point_latest(out, folder)
    console.rule("cost and robustness")
    measure(runs, folder, recipe.measures)
    console.rule("report")
    print_ladder(reproduction, _write_report(reproduction, sources.crops), console)


def _read_recipe(setting: str) -> Any:
    from omegaconf import OmegaConf

    from evaluation.measurement.corruptions import CORRUPTIONS

    path = next(
        (p for p in (CONFIGS / "reproduce" / f"{setting}.yaml", Path(setting)) if p.is_file()), None
    )
    if path is None:
        there = ", ".join(sorted(p.stem for p in (CONFIGS / "reproduce").glob("*.yaml")))
        msg = f"--setting {setting}: neither a file nor one of {there}"
        raise InputError(msg)
    recipe: Any = OmegaConf.load(path)
    for key in RECIPE:
        if OmegaConf.select(recipe, key) is None:
            msg = f"--setting {setting}: no {key} in it, expected a recipe like configs/reproduce"
            raise InputError(msg)
    for name in recipe.measures.corruptions:
        look_up(f"--setting {setting}: corruption", name, CORRUPTIONS)
    return recipe


def _check_methods(methods: list[str] | None) -> Sequence[str]:
    there = sorted(p.stem for p in (CONFIGS / "methods").glob("*.yaml"))
    for method in methods or ():
        if method not in there:
            msg = f"--methods {method}: no such rung; there are {', '.join(there)}"
            raise InputError(msg)
    return methods or LADDER


def _prepare_data(
    ffpp_root: Path | None, celebdf_root: list[Path] | None, faces: Path | None, data: Path
) -> Sources:
    if ffpp_root is not None:
        if faces is not None:
            msg = "--faces makes a miniature, --ffpp_root names a data set: give one of them"
            raise InputError(msg)
        name = hashlib.sha256(str(ffpp_root.resolve()).encode()).hexdigest()[:8]
        return Sources(ffpp_root, celebdf_root or [], data / f"ffpp-{name}-crops")
    from cli.mini_ffpp import mini_ffpp

    name = "mini-ffpp"
    if faces is not None:
        name += "-faces-" + hashlib.sha256(str(faces.resolve()).encode()).hexdigest()[:8]
    celeb_df = data / f"{name}-celeb-df"
    mini_ffpp(data / name, celeb_df=celeb_df, faces=faces)
    return Sources(data / name, celebdf_root or [celeb_df], data / f"{name}-crops")


def _extract(sources: Sources, compression: str, extraction: Any, devices: int) -> None:
    from experiments.extraction import plan_extraction

    settings = {
        "compression": compression,
        "frames_per_video": extraction.frames_per_video,
        "size": extraction.size,
    }
    for root in (sources.ffpp, *sources.celeb_df):
        plan = plan_extraction(root, sources.crops, **settings)
        if plan.store.is_finished and not plan.pending:
            print(f"reused: crops of {root} in {sources.crops}")
            continue
        words = [f"--{name}={value}" for name, value in settings.items()]
        run_stage(
            "extract", f"--root={root}", f"--out={sources.crops}", f"--devices={devices}", *words
        )


def _name(sources: Sources, compression: str, recipe: Any) -> str:
    """Name a reproduction by its data and by everything that its runs are configured with."""
    from datamodules.crops.manifest import MANIFEST

    digest = hashlib.sha256((sources.crops / MANIFEST).read_bytes())
    methods = sorted((CONFIGS / "methods").glob("*.yaml"))
    shared = [CONFIGS / name for name in (*recipe.configs, recipe.teacher, recipe.student)]
    for path in (*shared, *methods):
        settings = yaml.safe_load(path.read_text())  # a comment is none
        digest.update(json.dumps(settings, sort_keys=True).encode())
    return f"{sources.crops.name.removesuffix('-crops')}-{compression}-{digest.hexdigest()[:8]}"


def _describe(sources: Sources, compression: str, folder: Path) -> DataInfo:
    """The `data` block of the reproduction's results.json."""
    from datamodules.crops.store import CropStore

    store = CropStore(sources.crops)
    manifest = store.manifest
    extraction = json.loads((sources.crops / "extraction.json").read_text())
    videos = manifest.drop_duplicates(["dataset", "compression", "method", "video"])
    name = str(manifest.loc[manifest["split"] == "val", "dataset"].iloc[0])
    description: dict[str, Any] = {
        "name": name,
        "miniature": False,
        "compression": compression,
        "videos": {
            str(split): int(count)
            for split, count in (videos["dataset"].astype(str) + "/" + videos["split"].astype(str))
            .value_counts()
            .items()
        },
        "crops": len(manifest),
        "frames_without_face": len(extraction["frames_without_face"]),
        "manifest_sha256": store.manifest_hash,
        "store": structs.asdict(store.settings),
        "extraction": extraction,
        "crop_store": os.path.relpath(sources.crops.resolve(), folder.resolve()),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    marker = sources.ffpp / "MINIATURE.json"
    if marker.is_file():
        made = json.loads(marker.read_text())
        control = made["confound_control"].get(compression)
        description |= {"miniature": True, "kind": made["kind"], "confound_control": control}
    return convert(description, DataInfo)


def _write_report(reproduction: Any, crops: Path) -> Any:
    from datamodules.crops.store import CropStore
    from evaluation.report.report import write_report

    return write_report(reproduction, CropStore(crops))


def _point_latest(out: Path, folder: Path) -> None:
    """Let `latest` point to the newest reproduction."""
    link = out / "latest"
    fresh = out / ".latest.partial"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(link)
