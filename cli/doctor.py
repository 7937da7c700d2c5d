import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import InputError

if TYPE_CHECKING:
    from datamodules.layouts.check import Check

_LISTED = 5


def doctor(root: Path, json: bool = False, num_workers: int = 2) -> None:
    """Say what of a data set is there, what is missing or damaged, and whether it can be trusted.

    Exit status 1 where training on it would be wrong.

    Args:
        root: Root of FaceForensics++ or Celeb-DF, or a folder with real/ and fake/.
        json: Print everything as JSON, every video of every finding in it.
        num_workers: Processes that read the videos.
    """
    from datamodules.layouts.check import check_tree

    if num_workers < 1:
        msg = f"num_workers {num_workers}: expected 1 or more"
        raise InputError(msg)
    check = check_tree(root, num_workers)
    if json:
        _print_json(root, check)
    else:
        _print_table(root, check)
    if not check.is_sound:
        sys.exit(1)


def _rows(check: "Check") -> list[dict[str, Any]]:
    """Videos by data set, compression, method and split, and how many of them are whole."""
    there: Counter[tuple[str, str, str, str]] = Counter()
    whole: Counter[tuple[str, str, str, str]] = Counter()
    for record, found in zip(check.records, check.probes, strict=True):
        group = (record.dataset, record.compression, record.method, record.split)
        there[group] += 1
        whole[group] += found.reason is None and not found.is_short
    names = ("dataset", "compression", "method", "split")
    return [
        {**dict(zip(names, group, strict=True)), "videos": count, "whole": whole[group]}
        for group, count in there.items()
    ]


def _print_json(root: Path, check: "Check") -> None:
    from dataclasses import asdict
    from json import dumps

    content = {
        "root": str(root),
        "sound": check.is_sound,
        "videos": _rows(check),
        "findings": [asdict(finding) for finding in check.findings],
    }
    print(dumps(content, indent=1))


def _print_table(root: Path, check: "Check") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    rows = _rows(check)
    splits = [name for name in ("train", "val", "test") if any(r["split"] == name for r in rows)]
    table = Table("data set", "compression", "method")
    for split in splits:
        table.add_column(split, justify="right")
    groups = dict.fromkeys((r["dataset"], r["compression"], r["method"]) for r in rows)
    for group in groups:
        cells = {
            r["split"]: r for r in rows if (r["dataset"], r["compression"], r["method"]) == group
        }
        table.add_row(*group, *(_cell(cells.get(split)) for split in splits))
    console.print(table)
    for finding in check.findings:
        console.print(f"{finding.level}: {finding.message}", markup=False)
        if finding.kind != "duplicate":
            for video in finding.videos[:_LISTED]:
                console.print(f"  {video}", markup=False)
            if len(finding.videos) > _LISTED:
                console.print(f"  and {len(finding.videos) - _LISTED} more (--json lists all)")
    verdict = "sound" if check.is_sound else "training on it would be wrong: mend the errors above"
    console.print(f"{root}: {len(check.records)} videos, {verdict}", markup=False)


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    return (
        str(row["videos"]) if row["whole"] == row["videos"] else f"{row['whole']}/{row['videos']}"
    )
