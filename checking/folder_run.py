"""Checking many files: resumable, one page per file."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from checking.check import Checker
from checking.files import digest, explaining, printable, write_whole
from checking.page import Facts, render_page
from checking.results import Record, to_record

RESULTS = "results.jsonl"


class CheckFolder:
    """The folder of pages and results; a file that was checked alike is not checked again.

    Args:
        folder: Created if missing.
        settings: What the results depend on, apart from the file: package, calibration, sampling.

    Raises:
        InputError: The folder cannot be written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._folder, self._settings = folder, settings
        self._path = folder / RESULTS
        self._entries: dict[str, dict[str, Any]] = {}
        with explaining(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if self._path.is_file():
            for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    entry = json.loads(line)
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
        """Return the result of an earlier run for the same content, if its page still exists."""
        entry = self._entries.get(str(path.resolve()))
        if entry is None or not key or entry["key"] != key:
            return None
        return entry["record"] if (self._folder / entry["page"]).is_file() else None

    def page(self, path: Path) -> Path:
        """Return the path of a file's page; files of one name in two folders have two pages."""
        name, file = f"{path.name}.html", str(path.resolve())
        taken = {e["page"] for other, e in self._entries.items() if other != file}
        if name in taken:
            name = f"{path.name}-{digest(file.encode())[:8]}.html"
        return self._folder / name

    def write(self, path: Path, key: str, page: str, record: Record) -> None:
        """Write a page, then its entry.

        Raises:
            InputError: The disk is full, or the folder cannot be written.
        """
        target = self.page(path)
        write_whole(target, page)
        file = str(path.resolve())
        entry = {"file": file, "key": key, "page": target.name, "record": record}
        with explaining(self._path), self._path.open("a", encoding="utf-8") as results:
            # After an interruption the last line may lack its end.
            results.write("\n" + json.dumps(entry) + "\n")
        self._entries[file] = entry


Watch = Callable[[Path, int], Callable[[int, int], None]]
"""Called with a file and its place in the run; returns what is called after each of its frames."""


def check_files(
    files: Sequence[Path], checker: Checker, facts: Facts, out: CheckFolder, watch: Watch
) -> Iterator[Record]:
    """Check files one after another, and yield the result of each when its page is written."""
    for place, path in enumerate(files):
        key = out.key(path)
        record = out.find(path, key)
        if record is None:
            checked = checker.check(path, watch(path, place))
            record = to_record(checked)
            record["page"] = printable(out.page(path))
            out.write(path, key, render_page(checked, facts), record)
        yield record
