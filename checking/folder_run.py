"""Checking many files: an interrupted run is resumed, and each file has its page."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from checking.check import Checked, Checker, Progress
from checking.files import digest, explaining, printable, write_whole
from checking.page import Facts, render_page
from checking.results import Record, to_record

RESULTS = "results.jsonl"
# Bytes of a page's name: file systems allow 255, and `write_whole` needs 9.
_LONGEST_NAME = 240


class Results:
    """Results on disk, one line each; a file that was checked alike is not checked again.

    Args:
        path: The file of the results; its folder is created if missing.
        settings: What the results depend on, apart from the checked file: package, calibration,
            sampling.

    Raises:
        InputError: The file cannot be written.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self._path, self._settings = path, settings
        self._entries: dict[str, dict[str, Any]] = {}
        with explaining(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+", encoding="utf-8", errors="replace") as results:
                results.seek(0)
                lines = results.readlines()
        for line in lines:
            try:
                entry = json.loads(line)
                _ = entry["key"], entry["record"]
                self._entries[entry["file"]] = entry
            except (ValueError, TypeError, KeyError):
                continue  # cut short by an interruption

    def key(self, path: Path) -> str:
        """Return what identifies a file's content and the settings."""
        try:
            status = path.stat()
        except OSError:  # removed since it was found
            return ""
        return digest(json.dumps([self._settings, status.st_size, status.st_mtime_ns]).encode())

    def find(self, path: Path, key: str) -> Record | None:
        """Return the result of an earlier run for the same content."""
        entry = self._entries.get(str(path.resolve()))
        if not entry or not key or entry["key"] != key:
            return None
        # The earlier run may have named the file from another working directory.
        return {**entry["record"], "path": printable(path)}

    def add(self, path: Path, key: str, checked: Checked) -> Record:
        """Write a result, and return it.

        Raises:
            InputError: The disk is full, or the folder cannot be written.
        """
        return self._append(path, key, to_record(checked))

    def _append(self, path: Path, key: str, record: Record, **more: str) -> Record:
        file = str(path.resolve())
        entry = {"file": file, "key": key, "record": record, **more}
        with explaining(self._path), self._path.open("a", encoding="utf-8") as results:
            # After an interruption the last line may lack its end.
            results.write("\n" + json.dumps(entry) + "\n")
        self._entries[file] = entry
        return record


class CheckFolder(Results):
    """The folder of pages and results.

    Args:
        folder: Created if missing.
        settings: See `Results`.
        facts: How the files are checked, for the pages.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], facts: Facts) -> None:
        super().__init__(folder / RESULTS, settings)
        self._folder, self._facts = folder, facts

    def find(self, path: Path, key: str) -> Record | None:
        """Return the result of an earlier run for the same content, if its page still exists."""
        record = super().find(path, key)
        name = self._entries[str(path.resolve())].get("page") if record else None
        if record is None or not name or not (self._folder / name).is_file():
            return None
        return {**record, "page": printable(self._folder / name)}

    def add(self, path: Path, key: str, checked: Checked) -> Record:
        """Write the page of a result, then the result; see `Results.add`."""
        page = self._page(path)
        record = to_record(checked) | {"page": printable(page)}
        write_whole(page, render_page(checked, self._facts))
        return self._append(path, key, record, page=page.name)

    def _page(self, path: Path) -> Path:
        """Return the path of a file's page, which no other file has."""
        name, file = f"{path.name}.html", str(path.resolve())
        taken = {entry.get("page") for other, entry in self._entries.items() if other != file}
        if name in taken or len(os.fsencode(name)) > _LONGEST_NAME:
            name = f"{path.name[:50]}-{digest(os.fsencode(file))[:8]}.html"
        return self._folder / name


Watch = Callable[[Path, int, int], Progress]
"""Called with a file, its place and the number of files."""


def check_files(
    files: Sequence[Path], checker: Checker, results: Results, watch: Watch
) -> Iterator[Record]:
    """Check files one after another, and yield the result of each when it is written."""
    for place, path in enumerate(files):
        key = results.key(path)
        record = results.find(path, key)
        yield record or results.add(path, key, checker.check(path, watch(path, place, len(files))))
