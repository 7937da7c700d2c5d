from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from datamodules.crops.store import CropStore
    from evaluation.measurement.models import Model
    from evaluation.measurement.score_tables import ScoreTables


def robustness(
    runs: list[Path],
    out: Path | None = None,
    crops: Path | None = None,
    split: Literal["test", "val"] = "test",
    corruptions: list[str] | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    num_workers: int = 0,
) -> None:
    """Test the models of runs on crops that got worse: eight corruptions in five levels each.

    JPEG, H.264, blur, noise, down-scaling, contrast, saturation and occlusion, applied to the
    stored crops; all models see the same ones. What is scored already is reused. What the test
    split says here is to be reported, never to be chosen by: choose on --split val. `two-in-one
    report` over the same runs shows the curves.

    Args:
        runs: Run folders, folders of run folders, or checkpoints within a run's folder.
        out: Folder that robustness.json is written to; by default that of the report of these runs.
        crops: Crop store; by default the one that the runs were tested on.
        split: Split of the data set that the runs were trained on.
        corruptions: Some of the corruptions, by name; all where not given.
        device: Where to run; auto is a GPU if there is one.
        num_workers: Processes that corrupt crops.

    Raises:
        InputError: No run, one whose checkpoint is missing, damaged or of another model, or runs
            that were not tested on the same crops.
    """
    import torch
    from rich.console import Console

    from cli.report import report_folder
    from errors import look_up
    from evaluation.comparison.protocols import check_comparable
    from evaluation.measurement.corruptions import CORRUPTIONS
    from evaluation.measurement.models import load_models
    from evaluation.measurement.robustness import summarise
    from evaluation.measurement.score_tables import ScoreTables, checkpoint_hash
    from records.files import write_record
    from records.measurements import ROBUSTNESS, ROBUSTNESS_VAL
    from records.results import VERSION

    names = list(corruptions or CORRUPTIONS)
    for name in names:
        look_up("corruption", name, CORRUPTIONS)
    if device == "cuda" and not torch.cuda.is_available():
        msg = "--device cuda: no GPU is visible to PyTorch here: leave --device out"
        raise InputError(msg)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    console = Console()
    models = load_models(runs)
    folder = report_folder(runs, out)
    store, rows = _crops(models, crops, split)
    first = models[0].run
    check_comparable([model.run for model in models], any_protocol=False)
    test_set = first.in_domain.removesuffix("/test")
    source = {
        "set": f"{test_set}/{split}",
        "split": split,
        "manifest_sha256": store.manifest_hash,
        "crop_size": store.size,
        "aggregation": first.protocol.aggregation,
        "corruptions": {name: list(CORRUPTIONS[name].levels) for name in CORRUPTIONS},
    }
    checkpoints = {model.run.name: checkpoint_hash(model.checkpoint) for model in models}
    tables = ScoreTables(folder / "robustness" / split, source, checkpoints)
    tables.open()
    _score(models, store, rows, tables, names, (device, num_workers), console)
    summary = summarise(tables, [model.run for model in models], names)
    path = folder / (ROBUSTNESS if split == "test" else ROBUSTNESS_VAL)
    write_record(
        path, {"version": VERSION, "robustness": {**source, "checkpoints": checkpoints, **summary}}
    )
    _print(summary, f"{source['set']}: video AUC, mean over five levels", console)
    console.print(str(path), soft_wrap=True, highlight=False)


def _crops(models: "list[Model]", crops: Path | None, split: str) -> "tuple[CropStore, list[int]]":
    """The store, and the rows of the split of the data set that the runs were selected on."""
    from datamodules.crops.selection import select_rows
    from datamodules.crops.store import CropStore

    first = models[0].run
    settings = _data_settings(first.folder)
    store = CropStore(Path(crops or settings["crops"]))
    _check_same_crops(models, store, crops)
    compression = settings["compression"]
    rows = select_rows(
        store,
        compressions=[compression] if isinstance(compression, str) else compression,
        test_compressions=None,
        methods=settings.get("methods"),
        datasets=None,
        test_datasets=None,
    )
    manifest = store.manifest
    names = manifest["dataset"].astype(str) + " " + manifest["compression"].astype(str)
    here = names == first.in_domain.split("/")[0]
    return store, [row for row in rows[split].tolist() if here[row]]


def _data_settings(folder: Path) -> Any:
    import yaml

    path = folder / "config.yaml"
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]
        settings["crops"], settings["compression"]  # a KeyError says that they are missing
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        msg = f"{path}: no data settings in it, expected a run's configuration: copy it back"
        raise InputError(msg) from error
    return settings


def _check_same_crops(models: "list[Model]", store: "CropStore", chosen: Path | None) -> None:
    """Refuse to test on other crops than a run was trained on, unless they were chosen."""
    for model in models:
        trained_on = model.run.provenance.get("data_manifest_sha256", store.manifest_hash)
        if chosen is None and trained_on != store.manifest_hash:
            msg = (
                f"{store.root}: not the crops that {model.run.name} was trained on (its manifest "
                "has changed): choose a crop store with --crops, which may be this one"
            )
            raise InputError(msg)


def _score(
    models: "list[Model]",
    store: "CropStore",
    rows: list[int],
    tables: "ScoreTables",
    names: list[str],
    place: tuple[str, int],
    console: "Console",
) -> None:
    from rich.progress import Progress

    from evaluation.measurement.robustness import CorruptedVideos, conditions, score_videos

    device, workers = place
    for model in models:
        model.detector.to(device)
    with Progress(console=console) as progress:
        task = progress.add_task("scoring", total=None)
        todo = [(c, missing) for c in conditions(names) if (missing := tables.missing(c.name))]
        if reused := len(conditions(names)) - len(todo):
            progress.console.print(f"reused: {reused} conditions that are scored")
        for index, (condition, missing) in enumerate(todo):
            videos = CorruptedVideos(store, rows, condition)
            progress.update(task, total=len(todo) * len(videos), completed=index * len(videos))
            progress.update(task, description=condition.name)
            scored = score_videos(
                [model for model in models if model.run.name in missing],
                videos,
                device,
                workers,
                lambda videos: progress.advance(task, videos),
            )
            tables.add(condition.name, scored)


def _print(summary: dict[str, Any], title: str, console: "Console") -> None:
    from rich import box
    from rich.table import Table

    from evaluation.formatting import with_interval

    table = Table("corruption", title=title, box=box.SIMPLE_HEAD)
    table.title_justify, table.padding = "left", (0, 1, 0, 0)
    lines = summary["methods"]
    for line in lines:
        table.add_column(line["method"], justify="right", overflow="fold")
    rows = {"clean": [line["clean"] for line in lines]}
    rows |= {
        name: [line["curves"][name]["mean"] for line in lines] for name in summary["corruptions"]
    }
    for name, figures in rows.items():
        table.add_row(name, *(with_interval(f["auc"], f["interval"]) for f in figures))
    console.print(table)
