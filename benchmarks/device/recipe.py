"""The recipe of configs/*/ffpp from scratch on a small store, stopped and resumed once."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.device.faces import small_store
from benchmarks.device.watch import FILE, STOP

ROOT = Path(__file__).parents[2]
# Few of the teacher, whose checkpoint of half a gigabyte is written after each.
EPOCHS = {"teacher": 4, "student": 10}
STEPS = {"teacher": 100, "student": 300}
MOST_DRIFT = 1e-5
SIGTERM_STATUS = 143


def measure(
    name: str, device: torch.device, work: Path, *, quick: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Train the teacher, or distil the student with one setting.

    Raises:
        RuntimeError: A run fails, a value is not finite, or a rotation has left SO(C).
    """
    kind = "teacher" if name == "teacher" else "student"
    steps, batch = (3, 4) if quick else (STEPS[kind], 64)
    store = small_store(work / "store", *((2, 4) if quick else (30, 32)))
    argv = _argv(kind, name, device, work, quick=quick)
    argv += [f"--data.crops={store}", f"--data.batch_size={batch}"]
    run = work / f"run-{name}"
    argv.append(f"--run.dir={run}")
    seconds = []
    for status, stop in ((SIGTERM_STATUS, steps // 2), (0, None)):
        began = time.monotonic()
        _run(argv, stop, status)
        seconds.append(round(time.monotonic() - began, 1))
    found = json.loads((run / FILE).read_text())
    if "step_seconds" in found:
        found["images_per_second"] = batch / found["step_seconds"]
    found["seconds_of_first_and_resumed_process"] = seconds
    yield kind, {"batch": batch, **found}
    if found["steps"] != steps or not found["finite"]:
        msg = f"{found['steps']} of {steps} steps, finite: {found['finite']}"
        raise RuntimeError(msg)
    if found.get("orthogonality_error", 0.0) >= MOST_DRIFT:
        msg = f"|R'R - I| is {found['orthogonality_error']:.1e}, expected below {MOST_DRIFT:.0e}"
        raise RuntimeError(msg)


def _argv(kind: str, name: str, device: torch.device, work: Path, *, quick: bool) -> list[str]:
    steps = 3 if quick else STEPS[kind]
    epochs = steps if quick else EPOCHS[kind]
    argv = ["fit", f"-c={ROOT}/configs/data/ffpp.yaml", f"-c={ROOT}/configs/trainer/ffpp.yaml"]
    argv.append(f"-c={_from_scratch(kind, work)}")
    if kind == "student":
        teacher = work / "run-teacher" / "checkpoints" / "last.ckpt"
        if not teacher.is_file():
            msg = "needs the part teacher, which has left no checkpoint"
            raise RuntimeError(msg)
        argv.append(f"-c={ROOT}/configs/methods/two-in-one.yaml")
        argv.append(f"--model.init_args.teacher={teacher}")
    argv += [
        f"--trainer.accelerator={device.type}",
        f"--trainer.max_epochs={epochs}",
        f"--trainer.limit_train_batches={steps // epochs}",
        "--trainer.limit_val_batches=1",
        "--trainer.enable_progress_bar=false",
        "--trainer.callbacks+=benchmarks.device.watch.Watch",
        "--run.resume=auto",
    ]
    if name == "compile":
        # On the CPU, inductor would compile with g++ for minutes.
        backend = "aot_eager" if quick else "inductor"
        argv.append(f"--model.init_args.compile={backend}")
    elif kind == "student":
        argv.append(f"--trainer.precision={name}")
    if quick:
        argv.append("--data.num_workers=0")
    return argv


def _from_scratch(kind: str, work: Path) -> Path:
    text = (ROOT / "configs" / kind / "ffpp.yaml").read_text()
    path = work / f"{kind}.yaml"
    path.write_text(text.replace("pretrained: true", "pretrained: false"))
    return path


def _run(argv: list[str], stop: int | None, expected: int) -> None:
    environment = dict(os.environ) if stop is None else {**os.environ, STOP: str(stop)}
    command = [sys.executable, "-m", "cli", *argv]
    done = subprocess.run(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if done.returncode != expected:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1] if lines else "no message"
        msg = f"fit ended with status {done.returncode}, not {expected}: {reason}"
        raise RuntimeError(msg)
