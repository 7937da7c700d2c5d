"""Kill runs at random and resume them: do they end like uninterrupted runs?

    python -m benchmarks.kill_trials CROPS TEACHER.ckpt

Each trial kills a run of `two-in-one fit` and all its ranks with SIGKILL, at a random moment after
a random step, and runs the same command again with `--run.resume auto`. Its last checkpoint is
compared, bit for bit, with that of an uninterrupted run. Finished trials are kept: the same command
resumes, and a larger `--trials` adds more.
"""

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from jsonargparse import auto_cli

from benchmarks.machine import machine
from records.folder import RunFolder

RESULTS = Path(__file__).parent / "results" / "kill-trials"
CONFIGS = Path(__file__).parents[1] / "configs"
TWO_IN_ONE = Path(sys.executable).with_name("two-in-one")
EPOCHS, BATCHES = 5, 8
STUDENT = [
    f"-c={CONFIGS}/student/mini.yaml",
    f"-c={CONFIGS}/methods/two-in-one.yaml",
    # What a checkpoint must restore: dropout, g^0 measured twice, averaged weights.
    "--model.init_args.student.args={channels: [8, 16, 24, 32], stem_width: 8, "
    "drop_path_rate: 0.3}",
    "--model.init_args.homogenization.burn_in=10",
    "--model.init_args.ema=0.9",
]
KINDS = {
    "teacher, 1 rank": [f"-c={CONFIGS}/teacher/mini.yaml"],
    "two-in-one, 1 rank": STUDENT,
    "teacher, 2 ranks": [f"-c={CONFIGS}/teacher/mini.yaml"],
    "two-in-one, 2 ranks": STUDENT,
}
# Lightning counts an epoch twice if it is started again.
COUNTS = "loops"


def kill_trials(
    crops: Path, teacher: Path, trials: int = 20, work: Path = Path("runs/kill-trials")
) -> None:
    """Run the trials, and write benchmarks/results/kill-trials.

    Args:
        crops: The miniature's crop store.
        teacher: Checkpoint of the miniature's teacher.
        trials: Number of trials in all: teacher and distillation, on one rank and on two.
        work: Folder of the runs and of the finished trials.
    """
    transcript = work / "trials.csv"
    done = pd.read_csv(transcript).to_dict("records") if transcript.is_file() else []
    for number in range(len(done), trials):
        kind = list(KINDS)[number % len(KINDS)]
        argv = _arguments(kind, crops, teacher)
        whole = work / kind.replace(", ", "-").replace(" ", "-")
        if not (whole / "done").is_file():
            subprocess.run([*argv, f"--run.dir={whole}"], check=True, capture_output=True)
            (whole / "done").touch()
        row = {"trial": number, "run": kind, **_trial(argv, whole, work / f"trial-{number}")}
        done.append(row)
        pd.DataFrame(done).to_csv(transcript, index=False)
        print(row, flush=True)
    _write(pd.DataFrame(done))


def _arguments(kind: str, crops: Path, teacher: Path) -> list[str]:
    argv = [str(TWO_IN_ONE), "fit", f"-c={CONFIGS}/data/mini.yaml"]
    argv += [f"-c={CONFIGS}/trainer/mini.yaml", *KINDS[kind]]
    argv += [
        f"--data.crops={crops}",
        "--data.batch_size=8",
        "--data.augmentation=full",
        "--trainer.accelerator=cpu",
        f"--trainer.max_epochs={EPOCHS}",
        f"--trainer.limit_train_batches={BATCHES}",
        "--trainer.limit_val_batches=4",
        "--trainer.enable_progress_bar=false",
        "--run.save_every=3",
        "--run.resume=auto",
    ]
    if kind.startswith("two"):
        argv.append(f"--model.init_args.teacher={teacher}")
    if "2 ranks" in kind:
        argv += ["--trainer.devices=2", "--trainer.strategy=ddp"]
    return argv


def _trial(argv: list[str], whole: Path, run: Path) -> dict[str, Any]:
    """Kill a run, resume it, and compare."""
    chance = random.Random(run.name)
    expected = _load(whole)
    last = RunFolder(run).last
    step = chance.randrange(1, expected["global_step"])
    argv = [*argv, f"--run.dir={run}"]
    shutil.rmtree(run, ignore_errors=True)  # left by an interrupted trial
    log = run.with_suffix(".log").open("w")
    running = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
    while running.poll() is None and (not last.is_file() or _load(run)["global_step"] < step):
        time.sleep(0.02)
    time.sleep(chance.uniform(0, 0.2))
    if killed := running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    reached = _load(run)["global_step"] if last.is_file() else 0
    subprocess.run(argv, check=True, stdout=log, stderr=log)
    ended = _load(run)
    parts = sorted((expected.keys() | ended.keys()) - {COUNTS})
    apart = [name for name in parts if not _equal(expected.get(name), ended.get(name))]
    return {
        "killed after step": step if killed else "its end",
        "resumed from step": reached,
        "ended at step": ended["global_step"],
        "identical": not apart,
        "apart": " ".join(apart),
    }


def _load(run: Path) -> dict[str, Any]:
    return torch.load(RunFolder(run).last, weights_only=True)


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return isinstance(second, torch.Tensor) and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(_equal(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(_equal, first, second))
    return bool(first == second)


def _write(trials: pd.DataFrame) -> None:
    good = int(trials["identical"].sum())
    command = f"python -m benchmarks.kill_trials {shlex.join(sys.argv[1:])}"
    RESULTS.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": machine(torch.device("cpu")),
        "command": command,
        "identical": good,
        "trials": trials.fillna("").to_dict("records"),
    }
    (RESULTS / "cpu.json").write_text(json.dumps(content, indent=2) + "\n")
    rows = [trials.columns, *trials.fillna("").itertuples(index=False)]
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    lines.insert(1, "|---" * len(trials.columns) + "|")
    text = f"# {good} of {len(trials)} bit-identical\n\n`{command}`\n\n" + "\n".join(lines) + "\n"
    (RESULTS / "cpu.md").write_text(text)
    print(f"{good} of {len(trials)} bit-identical", RESULTS / "cpu.md")


if __name__ == "__main__":
    auto_cli(kill_trials)
