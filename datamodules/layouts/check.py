import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sklearn.metrics import roc_auc_score

from datamodules.layouts.detect import read_layout
from datamodules.layouts.ffpp import DFD, PROTOCOL_METHODS, groups_in, scan_ffpp
from datamodules.layouts.layout import Layout, reading_tree
from datamodules.layouts.probe import Probe, duplicates, probe
from datamodules.layouts.record import VideoRecord
from datamodules.process_pool import run_tasks
from errors import InputError

# A smaller difference in size or bit rate is not worth a warning.
_NOTEWORTHY_AUC = 0.6


@dataclass(frozen=True)
class Finding:
    """A problem of a tree.

    Attributes:
        level: "error" if training would be wrong, "warning" if it might be.
        kind: "missing", "unreadable", "short", "duplicate", "identity", "class", "confound", ….
        message: One line.
        videos: All videos concerned.
    """

    level: Literal["error", "warning"]
    kind: str
    message: str
    videos: tuple[str, ...] = ()


@dataclass
class Check:
    """The videos of a tree, what each file holds, and the findings."""

    records: list[VideoRecord] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether no finding makes training wrong."""
        return all(finding.level != "error" for finding in self.findings)

    def counts(self) -> list[dict[str, Any]]:
        """Return the number of videos and of whole ones by data set, compression, method, split."""
        names = ("dataset", "compression", "method", "split")
        rows: dict[tuple[str, ...], dict[str, Any]] = {}
        for record, found in zip(self.records, self.probes, strict=True):
            group = tuple(getattr(record, name) for name in names)
            row = rows.setdefault(group, {**dict(zip(names, group, strict=True)), "videos": 0})
            row["videos"] += 1
            row["whole"] = row.get("whole", 0) + (found.reason is None and not found.is_short)
        return list(rows.values())


def check_tree(root: Path, workers: int = 1) -> Check:
    """Check every video of a data set's tree, in all its compressions.

    Args:
        root: Root of FaceForensics++, Celeb-DF or a folder with real/ and fake/.
        workers: Number of processes that read the videos.

    Raises:
        InputError: It is none of these.
    """
    check = Check()
    with reading_tree(root):
        for layout in _layouts(root, check.findings):
            check.records += layout.records
            check.findings += _missing(layout)
    check.probes = run_tasks(
        probe, [record.path for record in check.records], workers, "Reading the videos"
    )
    for find in (_damaged, _duplicates, _identities, _classes, _confounds):
        check.findings += find(check)
    return check


def _layouts(root: Path, findings: list[Finding]) -> Iterator[Layout]:
    groups = list(groups_in(root))
    if not groups:
        yield read_layout(root, "c23")
        return
    for compression, methods in groups:
        absent = tuple(name for name in PROTOCOL_METHODS if name not in methods)
        if absent and methods != [DFD]:
            message = f"{compression}: no folder for {', '.join(absent)}"
            findings.append(Finding("warning", "missing", message, absent))
        try:
            yield scan_ffpp(root, compression, methods)
        except InputError as error:
            findings.append(Finding("error", "layout", str(error)))


def _missing(layout: Layout) -> Iterator[Finding]:
    for line in layout.remarks:
        yield Finding("warning", "remark", line)
    if layout.missing_methods:
        names = ", ".join(layout.missing_methods)
        yield Finding("warning", "missing", f"no folder for {names}", layout.missing_methods)
    for group, videos in layout.missing.items():
        message = f"{group}: {len(videos)} listed videos are missing"
        yield Finding("error", "missing", message, tuple(videos))


def _damaged(check: Check) -> Iterator[Finding]:
    pairs = list(zip(check.records, check.probes, strict=True))
    if unreadable := [f"{_name(one)}: {found.reason}" for one, found in pairs if found.reason]:
        message = f"{len(unreadable)} videos cannot be read; download them again"
        yield Finding("error", "unreadable", message, tuple(unreadable))
    short = [
        f"{_name(one)}: {found.ends_at:.1f} of {found.seconds:.1f} s"
        for one, found in pairs
        if found.is_short
    ]
    if short:
        message = f"{len(short)} videos are shorter than their headers claim; download them again"
        yield Finding("error", "short", message, tuple(short))


def _duplicates(check: Check) -> Iterator[Finding]:
    by_path = {record.path: record for record in check.records}
    for same in duplicates(by_path):
        names = tuple(_name(by_path[path]) for path in same)
        message = f"the same content under {len(same)} names: {', '.join(names)}"
        yield Finding("error", "duplicate", message, names)


def _identities(check: Check) -> Iterator[Finding]:
    """Find people in two splits; Celeb-DF's official list has some, FaceForensics++'s has none."""
    splits: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for record in check.records:
        for person in filter(None, (record.target, record.source)):
            splits[record.dataset][person].add(record.split)
    for dataset, splits_of in splits.items():
        if shared := tuple(person for person, found in splits_of.items() if len(found) > 1):
            official = "Celeb-DF" in dataset
            message = f"{dataset}: {len(shared)} identities are in two splits"
            if official:
                message += ", as in its official list: test on it, but do not train on it"
            yield Finding("warning" if official else "error", "identity", message, shared)


def _classes(check: Check) -> Iterator[Finding]:
    labels = Counter((r.dataset, r.compression, r.split, r.label) for r in check.records)
    for group in dict.fromkeys(key[:3] for key in labels):
        for label, name in enumerate(("real", "fake")):
            if not labels[*group, label]:
                yield Finding("error", "class", f"{' '.join(group)}: no {name} video")


def _confounds(check: Check) -> Iterator[Finding]:
    """Find out whether file size or bit rate alone separates real from fake."""
    groups: defaultdict[tuple[str, str], list[tuple[int, Probe]]] = defaultdict(list)
    for record, found in zip(check.records, check.probes, strict=True):
        if found.reason is None:
            groups[record.dataset, record.compression].append((record.label, found))
    for group, members in groups.items():
        labels = [label for label, _ in members]
        for name, values in (
            ("file size", [found.size for _, found in members]),
            ("bit rate", [found.bit_rate for _, found in members]),
        ):
            auc, low = _separation(labels, values)
            if low > _NOTEWORTHY_AUC:
                message = (
                    f"{' '.join(group)}: {name} alone separates real from fake, AUC {auc:.2f}: a "
                    "detector may learn the encoder"
                )
                yield Finding("warning", "confound", message)


def _separation(labels: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
    """Return the AUC, in either direction, and its lower bound (Hanley and McNeil, 1982)."""
    fake, real = sum(labels), len(labels) - sum(labels)
    if not fake or not real:
        return 0.5, 0.0
    auc = float(roc_auc_score(labels, values))
    auc = max(auc, 1 - auc)
    same = auc / (2 - auc) - auc**2
    other = 2 * auc**2 / (1 + auc) - auc**2
    spread = auc * (1 - auc) + (fake - 1) * same + (real - 1) * other
    return auc, auc - 1.96 * math.sqrt(spread / (fake * real))


def _name(record: VideoRecord) -> str:
    return f"{record.compression}/{record.method}/{record.video}"
