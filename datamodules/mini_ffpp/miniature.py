"""What the two miniatures share: the record of a folder, and how an interrupted one is resumed."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct, structs

from datamodules.mini_ffpp.listing import LIST
from datamodules.mini_ffpp.people import Parameters, Population
from datamodules.process_pool import console, run_tasks
from errors import InputError
from records.data_info import ConfoundControl
from records.files import PARTIAL, read_record, write_record

MARKER = "MINIATURE.json"
UNFINISHED = ".unfinished.json"
VERSION = 5
"""Changes whenever the same settings give other bytes."""
Video = Literal["c23", "c40", "masks"]
_REMEDY = "delete the folder and generate the miniature again"


class Settings(Struct, kw_only=True):
    """What determines the content of a miniature.

    Attributes:
        parameters: The options of people and videos; for `faces` the sizes of the files by path.
        amounts: Strength of the traces of each forgery method.
        videos: The compressions that were rendered, and `masks`. Others can be added later.
    """

    dataset: str
    kind: Literal["rendered", "faces"]
    seed: int
    parameters: Parameters
    amounts: dict[str, Any]
    version: int
    videos: list[Video] = []


class UnusedFile(Struct):
    """A file of the folder of real faces that was not used."""

    file: str
    reason: str


class MiniatureRecord(Settings, kw_only=True, omit_defaults=True):
    """The content of MINIATURE.json, which is written last: the data set is complete.

    Attributes:
        left_out: Unused files of the folder of real faces.
        confound_control: By compression, for the miniature of FaceForensics++ only.
    """

    left_out: list[UnusedFile] = []
    confound_control: dict[str, ConfoundControl] = {}


def read_miniature(root: Path) -> MiniatureRecord:
    """Read the record of a complete miniature.

    Raises:
        InputError: It is missing, damaged, was edited, or has another version.
    """
    record = _read(root / MARKER, MiniatureRecord)
    if record.version != VERSION:
        msg = f"{root / MARKER}: version {record.version}, expected {VERSION}: {_REMEDY}"
        raise InputError(msg)
    return record


class Job(Protocol):
    """Part of a data set that one process renders."""

    def files(self) -> list[Path]:
        """Return the paths of all videos."""

    def render(self) -> None:
        """Write all videos."""


@dataclass(frozen=True)
class Miniature(ABC):
    """A data set that is generated once and then reused.

    Attributes:
        root: Folder of the data set: new, empty, or of the same data set.
        population: The people, and the settings of the videos.
    """

    root: Path
    population: Population

    @abstractmethod
    def settings(self) -> Settings:
        """Return what determines the content."""

    @abstractmethod
    def write(self, workers: int, videos: list[Video]) -> MiniatureRecord:
        """Write the data set except for its record, and return the record."""

    def check(self) -> Settings | None:
        """Check the settings and the folder, without writing; return the record found in it.

        Raises:
            InputError: A value is out of range, the folder cannot be written, or it holds
                something else or a data set with other settings.
        """
        self.population.check()
        root, settings = self.root, self.settings()
        readable = os.access(root, os.R_OK | os.X_OK)
        if readable and root.is_dir() and any(root.iterdir()):
            for name, type_ in ((MARKER, MiniatureRecord), (UNFINISHED, Settings)):
                if os.path.lexists(root / name):
                    record = _read(root / name, type_)
                    _require_same(root, record, settings)
                    return record
            msg = f"{root}: holds something other than a miniature: choose a new or empty folder"
            raise InputError(msg)
        _require_writable(root)
        return None

    def generate(self, workers: int) -> MiniatureRecord:
        """Write what is missing of the data set.

        Raises:
            InputError: See `check`, or a file cannot be written.
        """
        found, settings = self.check(), self.settings()
        videos = sorted({*(found.videos if found else []), *settings.videos})
        if isinstance(found, MiniatureRecord):
            if videos == sorted(found.videos) and (self.root / LIST).is_file():
                line = f"{self.root}: complete with the same settings, reused"
                console.print(line, markup=False)
                return found
        else:
            write_record(self.root / UNFINISHED, structs.replace(settings, videos=videos))
        for partial in self.root.rglob(f"*{PARTIAL}"):
            partial.unlink(missing_ok=True)
        try:
            record = self.write(workers, videos)
        except InputError:
            if [path.name for path in self.root.iterdir()] == [UNFINISHED]:
                (self.root / UNFINISHED).unlink()
                self.root.rmdir()
            raise
        os.sync()  # the record says that the videos are complete, even after a power failure
        write_record(self.root / MARKER, record)
        (self.root / UNFINISHED).unlink(missing_ok=True)
        return record


def render(jobs: Sequence[Job], workers: int, title: str) -> None:
    """Write the videos of all jobs that are not complete yet, the same bytes on every processor."""
    pending = [job for job in jobs if not all(path.exists() for path in job.files())]
    run_tasks(methodcaller("render"), pending, workers, title, portable=True)


def _read(path: Path, type_: type[Settings]) -> Any:
    return read_record(path, type_, "the record of a miniature", _REMEDY)


def require_separate(out: Path, celeb_df: Path) -> None:
    """Check that neither folder is inside the other, so that the data sets do not mix.

    Raises:
        InputError: One is inside the other, or they are the same.
    """
    one, other = out.resolve(), celeb_df.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        msg = f"--celeb_df {celeb_df}: expected a folder neither inside nor around --out {out}"
        raise InputError(msg)


def _require_writable(root: Path) -> None:
    existing = next(path for path in (root, *root.absolute().parents) if os.path.lexists(path))
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return
    reason = "not writable" if existing.is_dir() else "not a folder"
    msg = f"{root}: cannot be written ({existing} is {reason}): choose a new or empty folder"
    raise InputError(msg)


def _require_same(root: Path, found: Settings, wanted: Settings) -> None:
    """Compare the settings of two miniatures, and name the first three that differ."""
    # As read from JSON, where a tuple is a list.
    before, after = (msgspec.json.decode(msgspec.json.encode(one)) for one in (found, wanted))
    before, after = before | before["parameters"], after | after["parameters"]
    differences = [
        f"other {key}" if isinstance(value, dict) else f"{key} {before.get(key)} instead of {value}"
        for key, value in after.items()
        if key not in ("parameters", "videos") and before.get(key) != value
    ]
    if differences:
        msg = (
            f"{root}: holds a miniature with other settings ({', '.join(differences[:3])}): "
            "delete it or choose another folder"
        )
        raise InputError(msg)
