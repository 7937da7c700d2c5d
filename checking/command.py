"""`check` and `calibrate`, for the project's command line and for the package's own."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from checking.calibration import CALIBRATION, Calibration, fewest_videos
from checking.check import Checker
from checking.files import digest, find_media, printable, printing, refuse_folder, write_whole
from checking.folder_run import RESULTS, CheckFolder, Results, check_files
from checking.page import Facts
from checking.results import summary, to_csv, to_lines
from checking.sampling import Sampling
from errors import InputError, require_number
from inference.card import CARD
from inference.detector import Detector


class Screen(Protocol):
    """Where progress is shown and lines are printed."""

    def watch(self, path: Path, place: int, total: int) -> Callable[[int, int], None]:
        """Show that a file is being checked; return what is called with frames done and total."""

    def print(self, line: str) -> None:
        """Print a line."""

    def error(self, line: str) -> None:
        """Print a line about bad input to standard error."""


def run_check(
    paths: list[Path],
    package: Path,
    calibration: Path | None,
    out: Path,
    sampling: Sampling,
    csv: Path | None,
    as_json: bool,
    screen: Screen,
) -> int:
    """Check files and print the results.

    Returns:
        The exit status: 0 if all files are judged; 1 if some have no verdict; 2 if a path leads to
        no file, or names one that is no video or image. The other paths are judged all the same.

    Raises:
        InputError: The package or the calibration is missing or damaged, `csv` is a folder, or the
            disk is full.
    """
    if csv is not None:
        refuse_folder(csv)
    found = find_media(paths)
    for line in found.missing:
        screen.error(line)
    if not found.files:
        return 2
    detector = Detector.open(package)
    settings = _settings(package, sampling)
    own = _find_calibration(package, calibration, settings)
    checker = Checker(detector, sampling, own)
    facts = Facts(
        detector.card.name,
        settings["package"],
        f"{detector.card.domain.dataset} {detector.card.domain.compression}",
        f"every {sampling.every:g} s, at most {sampling.max_frames}",
        len(own.scores) if own else 0,
        checker.judge.known.medians,
    )
    folder = CheckFolder(out, {**settings, "calibration": own and asdict(own)}, facts)
    records, is_bad = [], bool(found.missing)
    checked = check_files(found.files, checker, folder, screen.watch)
    for path, record in zip(found.files, checked, strict=True):
        records.append(record)
        if not record["readable"] and path.resolve() in found.named:
            is_bad = True
            expected = "expected a video or an image: check the path and the file"
            screen.error(f"{record['path']}: {record['reason']}, {expected}")
            continue
        for line in to_lines(record):
            screen.print(line)
        screen.print(f"  page: {record['page']}")
    if len(records) > 1:
        for line in summary(records):
            screen.print(line)
    if csv is not None:
        write_whole(csv, to_csv(records))
    if as_json:
        with printing(sys.stdout):
            print(json.dumps({**settings, "files": records}, indent=1), flush=True)
    is_judged = all(record["judged"] for record in records)
    return 2 if is_bad else 0 if is_judged else 1


def run_calibrate(
    real: Path,
    package: Path,
    out: Path | None,
    level: float,
    sampling: Sampling,
    screen: Screen,
) -> None:
    """Score one's own real videos and write the calibration.

    The scores are kept in a hidden file beside it, until it is written: the same call resumes.

    Raises:
        InputError: The folder has fewer comparable videos than the level needs, the package allows
            no statement about real videos, or `out` is a folder.
    """
    require_number("level", level, above=0, below=1)
    target = out or package / CALIBRATION
    refuse_folder(target)
    if not real.is_dir():
        msg = f"{real}: no such folder, expected a folder of real videos: check the path"
        raise InputError(msg)
    files, fewest = find_media([real]).files, fewest_videos(level)
    if len(files) < fewest:
        raise _too_few(real, f"{len(files)} videos", fewest, level)
    detector = Detector.open(package)
    if detector.card.domain.no_verdict:
        msg = f"{package}: {detector.card.domain.no_verdict}: a calibration cannot change that"
        raise InputError(msg)
    kept = target.with_name(f".{target.name}.{RESULTS}")
    settings = _settings(package, sampling)
    scores, left_out = {}, {}
    results = Results(kept, settings)
    checked = check_files(files, Checker(detector, sampling), results, screen.watch)
    for path, record in zip(files, checked, strict=True):
        known = [one["score"] for one in record["people"] if one["score"] is not None]
        name = str(path.relative_to(real))
        if known:
            # As of a checked video: that of the worst person.
            scores[name] = max(known)
        else:
            left_out[name] = record["reason"]
            screen.print(f"{printable(path)}: not used ({record['reason']})")
    if len(scores) < fewest:
        raise _too_few(real, f"{len(scores)} comparable videos", fewest, level)
    calibration = Calibration(settings["package"], settings["sampling"], scores, left_out)
    write_whole(target, json.dumps(asdict(calibration), indent=1) + "\n")
    kept.unlink()
    screen.print(f"{printable(target)}: {len(scores)} real videos, {len(left_out)} not used")


def _too_few(real: Path, found: str, fewest: int, level: float) -> InputError:
    return InputError(
        f"{real}: {found}, expected at least {fewest} for a false-alarm rate of "
        f"{100 * level:g} %: add real videos, or choose a higher --level"
    )


def _settings(package: Path, sampling: Sampling) -> dict[str, Any]:
    """Return what a score depends on besides the file: the card's SHA-256 and the sampling."""
    return {"package": digest((package / CARD).read_bytes()), "sampling": asdict(sampling)}


def _find_calibration(
    package: Path, named: Path | None, settings: dict[str, Any]
) -> Calibration | None:
    path = named or package / CALIBRATION
    if named is None and not path.is_file():
        return None
    calibration = Calibration.read(path)
    calibration.check(settings["package"], settings["sampling"], path)
    return calibration
