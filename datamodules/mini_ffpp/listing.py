"""videos.csv of a miniature: the list of its videos, with what the renderer knows of each."""

import csv
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from datamodules.layouts.record import VideoRecord
from records.files import write_file

LIST = "videos.csv"
_COLUMNS = ("dataset", "path", "label", "method", "split", "identity", "source", "compression")


def write_list(root: Path, records: Iterable[VideoRecord]) -> None:
    """Write videos.csv into a miniature's folder, see `datamodules.layouts.video_list`.

    Paths are relative to the folder, slices become columns, and a video without a target is its own
    identity.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, one in enumerate(records):
        if number == 0:
            writer.writerow((*_COLUMNS, *one.slices))
        path, identity = one.path.relative_to(root), one.target or one.video
        known = one.dataset, path, one.label, one.method, one.split, identity, one.source
        writer.writerow((*known, one.compression, *one.slices.values()))
    write_file(root / LIST, text.getvalue())
