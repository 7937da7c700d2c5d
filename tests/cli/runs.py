"""Runs of the command line, and what they leave."""

import json
from pathlib import Path


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def distil(fit, teacher: Path, method: str, *words: str, **options) -> Path:
    alone = method.startswith("student")
    given = [] if alone else [f"--model.init_args.teacher={checkpoint(teacher)}"]
    return fit(("student/mini", f"methods/{method}"), *given, *words, **options)


def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"
