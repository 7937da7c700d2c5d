import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Column, Table

from datamodules.layouts.check import Check, check_list, check_tree
from datamodules.layouts.detect import require_root
from datamodules.layouts.record import SPLITS
from errors import require_number

_LISTED = 5


def doctor(
    root: Path | None = None,
    list: Path | None = None,
    json: bool = False,
    num_workers: int = 2,
) -> None:
    """Report what a data set holds, what is missing or damaged, and whether it is sound.

    The exit status is 1 if training on it would be wrong.

    Args:
        root: Root of a data set that `two-in-one extract` reads, or a folder with real/ and fake/.
            With a list: the folder that its paths start from and must lie inside.
        list: List of videos, see `two-in-one extract --help`.
        json: Print everything as JSON, with every video of every finding.
        num_workers: Number of processes that read the videos.
    """
    require_number("num_workers", num_workers, least=1)
    if list is None:
        check = check_tree(require_root(root), num_workers)
    else:
        check = check_list(list, root, num_workers)
    checked = str(list or root)
    if json:
        report = {
            "root": checked,
            "sound": check.is_sound,
            "videos": check.counts(),
            "findings": check.findings,
        }
        print(msgspec.json.format(msgspec.json.encode(report), indent=1).decode())
    else:
        _print(checked, check)
    if not check.is_sound:
        sys.exit(1)


def _print(checked: str, check: Check) -> None:
    Console(markup=False, highlight=False, soft_wrap=True).print(_table(check))
    for finding in check.findings:
        print(f"{finding.level}: {finding.message}")
        if finding.kind != "duplicate":
            print(*(f"  {video}\n" for video in finding.videos[:_LISTED]), sep="", end="")
            if len(finding.videos) > _LISTED:
                print(f"  and {len(finding.videos) - _LISTED} more (--json lists all)")
    verdict = "sound" if check.is_sound else "training on it would be wrong: fix the errors above"
    print(f"{checked}: {len(check.records)} videos, {verdict}")


def _table(check: Check) -> Table:
    """Build a table with one row per method and one column per split, "whole/all" videos."""
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in check.counts():
        whole, videos = row["whole"], row["videos"]
        group = cells.setdefault((row["dataset"], row["compression"], row["method"]), {})
        group[row["split"]] = str(videos) if whole == videos else f"{whole}/{videos}"
    splits = [split for split in SPLITS if any(split in group for group in cells.values())]
    columns = (Column(split, justify="right") for split in splits)
    table = Table("data set", "compression", "method", *columns)
    for names, group in cells.items():
        table.add_row(*names, *(group.get(split, "-") for split in splits))
    return table
