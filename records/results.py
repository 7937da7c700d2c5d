"""results.json: what a run, or a reproduction, is found to be."""

import json
from pathlib import Path
from typing import Any

from errors import InputError
from records.protocol import KEYS

VERSION = 2

_RUN_BLOCKS = {
    "run": ("name", "method", "seed", "test_passes"),
    "model": ("params",),
    "protocol": KEYS,
}
_REPRODUCTION_BLOCKS = ("runs", "claims", "data")


def read_results(folder: Path) -> dict[str, Any]:
    """Content of a folder's results.json, of a run or of a reproduction.

    Raises:
        InputError: None there, cut short, not JSON, or of another version.
    """
    path = folder / "results.json"
    results = read_json(path)
    if results.get("version") != VERSION:
        found = results.get("version", "none")
        msg = (
            f"{path}: version {found}, expected version {VERSION} of the results: {way_out(folder)}"
        )
        raise InputError(msg)
    return results


def check_run(results: Any, path: Path) -> None:
    """Refuse what is not a run's results.

    Raises:
        InputError: A block or a key is missing; it is named.
    """
    for block, keys in _RUN_BLOCKS.items():
        for key in keys:
            if not isinstance(results, dict) or key not in (results.get(block) or {}):
                msg = f"{path}: no {block}.{key}, expected a run's results: test the run again"
                raise InputError(msg)
    if not isinstance(results.get("metrics"), dict):
        msg = f"{path}: no metrics, expected a run's results: test the run again"
        raise InputError(msg)
    for key, test in results["metrics"].items():
        if not isinstance(test, dict) or "video" not in (test.get("overall") or {}):
            msg = f"{path}: no metrics of {key}, expected its figures: test the run again"
            raise InputError(msg)


def read_reproduction_results(folder: Path) -> dict[str, Any]:
    """Content of a reproduction's results.json.

    Raises:
        InputError: None there, cut short, of another version, or of something else.
    """
    path = folder / "results.json"
    results = read_results(folder)
    for block in _REPRODUCTION_BLOCKS:
        if block not in results:
            msg = f"{path}: no {block}, expected a reproduction's results: run reproduce again"
            raise InputError(msg)
    for run in results["runs"]:
        check_run(run, path)
    return results


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Write a results.json whole or not at all; nan is refused, undefined figures are null."""
    text = json.dumps({"version": VERSION, **results}, indent=2, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Content of one of a run's JSON files.

    Raises:
        InputError: None there, cut short, or not JSON.
    """
    if not path.is_file():
        msg = f"{path.parent}: no {path.name} in it, expected a finished run: finish or test it"
        raise InputError(msg)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path}: cut short or not JSON, expected a whole file: {way_out(path.parent)}"
        raise InputError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: holds no JSON object, expected results: give a run's folder"
        raise InputError(msg)
    return content


def way_out(folder: Path) -> str:
    """What to do about a run whose files cannot be used."""
    config, checkpoint = folder / "config.yaml", folder / "checkpoints" / "best.ckpt"
    if not config.is_file():
        return "make it again with this version of the project"
    return f"test the run again with two-in-one test -c {config} --ckpt_path {checkpoint}"
