import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sklearn.metrics import roc_auc_score

from datamodules.layouts.detect import is_ffpp, read_layout
from datamodules.layouts.ffpp import (
    ACTORS,
    COMPRESSIONS,
    DFD,
    METHODS,
    ORIGINAL,
    PROTOCOL_METHODS,
    scan_ffpp,
    videos_folder,
)
from datamodules.layouts.layout import Layout
from datamodules.layouts.probe import Probe, duplicates, probe
from datamodules.layouts.record import VideoRecord
from datamodules.process_pool import work_through
from errors import InputError

# Below it, a difference in size or bit rate is not worth a warning.
_NOTEWORTHY_AUC = 0.6


@dataclass(frozen=True)
class Finding:
    """Something about a tree that a user should know.

    Attributes:
        level: "error" where training would be wrong, "warning" where it might be.
        kind: "missing", "unreadable", "short", "duplicate", "identity", "split", "confound", ….
        message: One line.
        videos: All of those concerned.
    """

    level: Literal["error", "warning"]
    kind: str
    message: str
    videos: tuple[str, ...] = ()


@dataclass
class Check:
    """What a tree holds: its videos as they are found to be, and the findings."""

    records: list[VideoRecord] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing found makes training wrong."""
        return all(finding.level != "error" for finding in self.findings)


def check_tree(root: Path, workers: int = 1) -> Check:
    """Look at every video of a data set's tree, in all its compressions.

    Args:
        root: Root of FaceForensics++, Celeb-DF or a folder with real/ and fake/.
        workers: Processes that read the videos.

    Raises:
        InputError: It is none of these.
    """
    check = Check()
    for layout in _layouts(root, check.findings):
        check.records += layout.records
        check.findings += _missing(layout)
    check.probes = work_through(
        probe, [record.path for record in check.records], workers, "Reading the videos"
    )
    check.findings += _damaged(check)
    check.findings += _duplicates(check.records)
    check.findings += _identities(check.records)
    check.findings += _classes(check.records)
    check.findings += _confounds(check)
    return check


def _layouts(root: Path, findings: list[Finding]) -> Iterator[Layout]:
    if not root.is_dir() or not is_ffpp(root):
        yield read_layout(root, "c23")
        return
    for compression in COMPRESSIONS[:1] + COMPRESSIONS[2:]:  # raw and c0 are one
        there = [
            method
            for method in (ORIGINAL, ACTORS, *METHODS)
            if videos_folder(root, method, compression) is not None
        ]
        absent = tuple(name for name in PROTOCOL_METHODS if name not in there)
        if there and absent:
            message = f"{compression}: no folder for {', '.join(absent)}"
            findings.append(Finding("warning", "missing", message, absent))
        wanted = {
            "FaceForensics++": [name for name in there if name not in (ACTORS, DFD)],
            DFD: [DFD] if {ACTORS, DFD} & set(there) else [],
        }
        for methods in filter(None, wanted.values()):
            try:
                yield scan_ffpp(root, compression, methods)
            except InputError as error:
                findings.append(Finding("error", "layout", str(error)))
    if not any(videos_folder(root, ORIGINAL, compression) for compression in COMPRESSIONS):
        findings.append(Finding("error", "layout", f"{root}: no originals in any compression"))


def _missing(layout: Layout) -> Iterator[Finding]:
    for line in layout.remarks:
        yield Finding("warning", "remark", line)
    if layout.missing_methods:
        names = ", ".join(layout.missing_methods)
        yield Finding("warning", "missing", f"no folder for {names}", layout.missing_methods)
    if layout.missing_videos:
        where = f"{layout.dataset} {layout.records[0].compression}"
        message = f"{where}: {len(layout.missing_videos)} listed videos are not there"
        yield Finding("error", "missing", message, layout.missing_videos)


def _damaged(check: Check) -> Iterator[Finding]:
    pairs = list(zip(check.records, check.probes, strict=True))
    if unreadable := [f"{_name(one)}: {found.reason}" for one, found in pairs if found.reason]:
        message = f"{len(unreadable)} videos cannot be read; get them again"
        yield Finding("error", "unreadable", message, tuple(unreadable))
    short = [
        f"{_name(one)}: {found.ends_at:.1f} of {found.seconds:.1f} s"
        for one, found in pairs
        if found.is_short
    ]
    if short:
        message = f"{len(short)} videos end before their headers say; get them again"
        yield Finding("error", "short", message, tuple(short))


def _duplicates(records: Sequence[VideoRecord]) -> Iterator[Finding]:
    by_path = {record.path: record for record in records}
    for same in duplicates(by_path):
        twins = [by_path[path] for path in same]
        names = tuple(map(_name, twins))
        message = f"one content under {len(same)} names: {', '.join(names)}"
        yield Finding("error", "duplicate", message, names)


def _identities(records: Sequence[VideoRecord]) -> Iterator[Finding]:
    """Celeb-DF's own list puts people into both of its splits; FaceForensics++'s files never do."""
    splits: dict[tuple[str, str], set[str]] = {}
    for record in records:
        for person in filter(None, (record.target, record.source)):
            splits.setdefault((record.dataset, person), set()).add(record.split)
    for dataset in dict.fromkeys(record.dataset for record in records):
        shared = tuple(p for (d, p), there in splits.items() if d == dataset and len(there) > 1)
        if shared:
            official = "Celeb-DF" in dataset
            message = f"{dataset}: {len(shared)} identities are in two splits"
            if official:
                message += ", as its official list has it: do not train on it and test on it"
            yield Finding("warning" if official else "error", "identity", message, shared)


def _classes(records: Sequence[VideoRecord]) -> Iterator[Finding]:
    groups: dict[tuple[str, str, str], Counter[int]] = {}
    for record in records:
        group = (record.dataset, record.compression, record.split)
        groups.setdefault(group, Counter())[record.label] += 1
    for group, labels in groups.items():
        for label, name in enumerate(("real", "fake")):
            if not labels[label]:
                yield Finding("error", "class", f"{' '.join(group)}: no {name} video")


def _confounds(check: Check) -> Iterator[Finding]:
    """Whether size or bit rate alone tells real from fake; interval of Hanley and McNeil, 1982."""
    groups: dict[tuple[str, str], list[tuple[VideoRecord, Probe]]] = {}
    for record, found in zip(check.records, check.probes, strict=True):
        if found.reason is None:
            groups.setdefault((record.dataset, record.compression), []).append((record, found))
    for (dataset, compression), members in groups.items():
        labels = [record.label for record, _ in members]
        fake, real = sum(labels), len(labels) - sum(labels)
        if not fake or not real:
            continue
        for what, values in (
            ("file size", [found.size for _, found in members]),
            ("bit rate", [found.bit_rate for _, found in members]),
        ):
            auc = float(roc_auc_score(labels, values))
            auc = max(auc, 1 - auc)
            same = auc / (2 - auc) - auc**2
            other = 2 * auc**2 / (1 + auc) - auc**2
            spread = auc * (1 - auc) + (fake - 1) * same + (real - 1) * other
            low = auc - 1.96 * math.sqrt(spread / (fake * real))
            if low > _NOTEWORTHY_AUC:
                message = (
                    f"{dataset} {compression}: {what} alone tells real from fake, AUC {auc:.2f}: a "
                    f"detector may learn the encoder"
                )
                yield Finding("warning", "confound", message)


def _name(record: VideoRecord) -> str:
    return f"{record.compression}/{record.method}/{record.video}"
