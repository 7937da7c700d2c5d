from pathlib import Path
from typing import Literal

from rich.console import Console

from errors import look_up, require_number
from evaluation.measurement.corrupted_scores import select_crops
from evaluation.measurement.corruptions import CORRUPTIONS
from evaluation.measurement.models import find_devices, load_models
from evaluation.measurement.robustness import measure_robustness
from evaluation.report.folder import report_folder
from evaluation.report.terminal import robustness_table
from records.measurements import write_robustness
from training.process import keep_freed_memory


def robustness(
    runs: list[Path],
    out: Path | None = None,
    crops: Path | None = None,
    split: Literal["test", "val"] = "test",
    corruptions: list[str] | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    num_workers: int = 0,
) -> None:
    """Test runs' models on corrupted crops: eight corruptions at five levels each.

    The corruptions are JPEG, H.264, blur, noise, down-scaling, contrast, saturation and occlusion
    of the stored crops. All models see the same crops, and existing scores are reused. Report the
    results on the test split, but do not choose a model by them: choose on --split val.
    `two-in-one report` of the same runs shows the curves.

    Args:
        runs: Run folders, folders of run folders, or checkpoints within a run's folder.
        out: Folder of robustness.json; default: the folder of the runs' report.
        crops: Crop store; default: the one that the runs were trained on.
        split: Split of the data set that the runs were trained on.
        corruptions: Names of corruptions; default: all.
        device: Where to run; auto is a GPU if one is visible.
        num_workers: Number of processes that corrupt crops.

    Raises:
        InputError: No run, a checkpoint that is missing, damaged or of another model, or runs that
            were not tested on the same crops.
    """
    names = list(corruptions or CORRUPTIONS)
    for name in names:
        look_up("corruption", name, CORRUPTIONS)
    require_number("--num_workers", num_workers, least=0)
    keep_freed_memory()
    fastest = find_devices(device)[-1]
    models = load_models(runs)
    selected = select_crops(models, crops, split)
    folder = report_folder(runs, out)
    console = Console(markup=False)
    result = measure_robustness(
        models, selected, names, folder, device=fastest, num_workers=num_workers, console=console
    )
    path = write_robustness(folder, result)
    console.print(robustness_table(result))
    console.print(str(path), soft_wrap=True, highlight=False)
