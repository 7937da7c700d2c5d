"""videos.csv of a miniature: the list of its videos, with what the renderer knows of each."""

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from records.files import write_file

LIST = "videos.csv"


class Listed(NamedTuple):
    """A row of the list, see `datamodules.layouts.video_list`; `path` is relative to the list."""

    path: str
    label: int
    method: str
    split: str
    identity: str
    source: str
    compression: str
    traits: Mapping[str, str]


def write_list(root: Path, dataset: str, rows: Iterable[Listed]) -> None:
    """Write videos.csv into a miniature's folder; traits become columns."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(("dataset", *Listed._fields[:-1], *row.traits))
        writer.writerow((dataset, *row[:-1], *row.traits.values()))
    write_file(root / LIST, text.getvalue())
