"""The training loop against plain PyTorch, and what the cached teacher leaves of its cost.

    python -m benchmarks.training CROPS TEACHER.ckpt

Everything runs through `two-in-one fit`, in rounds of one run of each kind; ratios are of medians.
Plain PyTorch runs in the same process, after every epoch, and is measured twice: in a process as
it is, which is what a script of one's own has, and with the memory that a step frees kept for the
next, as `two-in-one` does.
"""

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
from jsonargparse import auto_cli

from benchmarks.loop_callbacks import PlainLoop, StepTimer
from callbacks.provenance import machine
from cli.main import main

RESULTS = Path(__file__).parent / "results" / "training"
CONFIGS = Path(__file__).parents[1] / "configs"
KINDS = {
    "student": ["methods/student"],
    "two-in-one": ["methods/two-in-one"],
    "two-in-one, cached": ["methods/two-in-one"],
}
# A run in which memory is given back as glibc does; the last line that it prints is its figures.
GIVING_BACK = """
import json, sys
from unittest.mock import patch
patch("training.process.keep_freed_memory").start()
from benchmarks import training
training.main(json.loads(sys.argv[1]))
print(json.dumps(training._figures(int(sys.argv[2]))))
"""


def training(
    crops: Path,
    teacher: Path,
    device: Literal["cpu", "cuda"] = "cpu",
    setting: str = "mini",
    epochs: int = 4,
    batches: int = 15,
    rounds: int = 3,
    options: list[str] = [],  # noqa: B006 -- read only
) -> None:
    """Measure the training loop, and write benchmarks/results/training/DEVICE-SETTING.json.

    Args:
        crops: A crop store.
        teacher: Checkpoint of a teacher that was trained at the setting's size.
        device: Where to run.
        setting: Of configs: mini or ffpp.
        epochs: Of a run; the first, in which the cache is filled, is left out.
        batches: Of an epoch.
        rounds: Runs of each kind.
        options: Further arguments for every run, without their dashes.
    """
    measured: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    given_back: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        base = _arguments(crops, device, setting, options)
        # A run is not trained into the folder of another.
        folders = (f"--run.dir={folder}/run-{number}" for number in itertools.count())
        for _ in range(rounds):
            for kind, models in KINDS.items():
                argv = [*base, f"-c={CONFIGS}/student/{setting}.yaml"]
                argv += [f"-c={CONFIGS}/{model}.yaml" for model in models]
                argv += [f"--trainer.max_epochs={epochs}"]
                argv += [f"--trainer.limit_train_batches={batches}"]
                if kind != "student":
                    argv.append(f"--model.init_args.teacher={teacher}")
                if "cached" in kind:
                    argv += ["--data.views=1", "--model.init_args.frozen_teacher.cache=on"]
                    argv += [f"--model.init_args.frozen_teacher.folder={folder}/caches"]
                    # The cache is filled by one whole epoch, of more than the measured batches.
                    if not measured[kind]:
                        whole = [argument for argument in argv if "limit_train" not in argument]
                        main([*whole, "--trainer.max_epochs=1", next(folders)])
                main([*argv, next(folders)])
                measured[kind].append(_figures(batches))
                given_back[kind].append(_giving_back([*argv, next(folders)], batches))
        started = _seconds_to_first_step([*base, next(folders)], setting)
    result = {
        "machine": machine(),
        "command": f"python -m benchmarks.training {' '.join(sys.argv[1:])}",
        "start_to_first_step_seconds": started,
        "kinds": {
            kind: _compared(_medians(measured[kind]), _medians(given_back[kind])) for kind in KINDS
        },
    }
    alone = result["kinds"]["student"]["step_seconds"]
    result["epoch_against_student_alone"] = {
        kind: figures["step_seconds"] / alone for kind, figures in result["kinds"].items()
    }
    result["rounds"] = {"memory kept": measured, "memory given back": given_back}
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{device}-{setting}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    print(path)


def _arguments(crops: Path, device: str, setting: str, options: list[str]) -> list[str]:
    return [
        "fit",
        *(f"-c={CONFIGS}/{name}/{setting}.yaml" for name in ("data", "trainer")),
        f"--data.crops={crops}",
        f"--trainer.accelerator={device}",
        "--trainer.enable_progress_bar=false",
        "--trainer.check_val_every_n_epoch=1000",
        "--trainer.callbacks+=benchmarks.loop_callbacks.StepTimer",
        "--trainer.callbacks+=benchmarks.loop_callbacks.PlainLoop",
        *(f"--{option}" for option in options),
    ]


def _figures(batches: int) -> dict[str, float]:
    steps = [(began, ended) for epoch, began, ended in StepTimer.steps if epoch > 0]
    # From a step's end to the next one's, within an epoch: what a step takes, loading included.
    spans = [
        (after[1] - before[1], after[0] - before[1])
        for k, (before, after) in enumerate(pairwise(steps), start=1)
        if k % batches
    ]
    whole = statistics.median(span for span, _ in spans)
    figures = {
        "step_seconds": whole,
        "images_per_second": len(StepTimer.first_batch["label"]) / whole,
        "share_between_steps": statistics.median(wait for _, wait in spans) / whole,
        "plain_torch_seconds": statistics.median(x for epoch, x in PlainLoop.seconds if epoch > 0),
    }
    if torch.cuda.is_available():
        figures["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.reset_peak_memory_stats()
    return figures


def _giving_back(argv: list[str], batches: int) -> dict[str, float]:
    command = [sys.executable, "-c", GIVING_BACK, json.dumps(argv), str(batches)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, float] = json.loads(printed.splitlines()[-1])
    return figures


def _compared(kept: dict[str, float], given_back: dict[str, float]) -> dict[str, float]:
    ours = kept["step_seconds"]
    return kept | {
        "throughput_against_plain_torch": given_back["plain_torch_seconds"] / ours,
        "throughput_against_plain_torch_with_memory_kept": kept["plain_torch_seconds"] / ours,
        "throughput_against_memory_given_back": given_back["step_seconds"] / ours,
    }


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def _seconds_to_first_step(base: list[str], setting: str) -> float:
    argv = [argument for argument in base if "callbacks" not in argument]
    argv += [f"-c={CONFIGS}/student/{setting}.yaml", f"-c={CONFIGS}/methods/student.yaml"]
    argv += ["--trainer.callbacks+=benchmarks.loop_callbacks.ExitAfterFirstStep"]
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "cli", *argv], check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    auto_cli(training)
