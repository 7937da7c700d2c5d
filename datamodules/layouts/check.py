import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from sklearn.metrics import roc_auc_score

from datamodules.layouts.deeper_forensics import (
    is_deeper_forensics,
    scan_deeper_forensics,
    variants_in,
)
from datamodules.layouts.detect import read_layout
from datamodules.layouts.ffpp import DFD, PROTOCOL_METHODS, groups_in, scan_ffpp
from datamodules.layouts.layout import Layout, reading_tree
from datamodules.layouts.probe import Probe, duplicates, probe
from datamodules.layouts.record import VideoRecord
from datamodules.layouts.video_list import scan_list
from datamodules.process_pool import run_tasks
from errors import InputError
from records.files import require_file

# A smaller difference in size or bit rate is not worth a warning.
_NOTEWORTHY_AUC = 0.6


@dataclass(frozen=True)
class Finding:
    """A problem of a tree: an error if training would be wrong, a warning if it might be."""

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

    def counts(self) -> list[dict[Hashable, Any]]:
        """Return the number of videos and of whole ones by data set, compression, method, split."""
        names = ["dataset", "compression", "method", "split"]
        table = pd.DataFrame(map(attrgetter(*names), self.records), columns=names)
        table["whole"] = [one.reason is None and not one.is_short for one in self.probes]
        whole = table.groupby(names, sort=False)["whole"]
        return whole.agg(videos="size", whole="sum").reset_index().to_dict("records")


def check_tree(root: Path, workers: int = 1) -> Check:
    """Check every video of a data set's tree, in all its compressions, in several processes.

    Raises:
        InputError: It is none of the known trees, see `read_layout`.
    """
    check = Check()
    with reading_tree(root):
        return _check(_layouts(root, check.findings), check, workers)


def check_list(file: Path, root: Path | None = None, workers: int = 1) -> Check:
    """Check every video of a list; a list that `scan_list` refuses is a finding.

    Raises:
        InputError: There is no such file, or its folder or the root cannot be read.
    """
    require_file(file, "a list of videos", "check --list")
    check = Check()
    layouts = []
    with reading_tree(root or file.parent):
        try:
            layouts = [scan_list(file, root, keep_missing=True)]
        except InputError as error:
            check.findings.append(Finding("error", "layout", str(error)))
    return _check(layouts, check, workers)


def _check(layouts: Iterable[Layout], check: Check, workers: int) -> Check:
    for layout in layouts:
        check.records += layout.records
        check.findings += _missing(layout)
    paths = [record.path for record in check.records]
    check.probes = run_tasks(probe, paths, workers, "Reading the videos")
    for find in (_damaged, _duplicates, _identities, _classes, _confounds):
        check.findings += find(check)
    return check


def _layouts(root: Path, findings: list[Finding]) -> Iterator[Layout]:
    if is_deeper_forensics(root):
        yield scan_deeper_forensics(root, variants_in(root) or None)
        return
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
    unreadable, short = [], []
    for record, found in zip(check.records, check.probes, strict=True):
        if found.reason:
            unreadable.append(f"{_name(record)}: {found.reason}")
        elif found.is_short:
            short.append(f"{_name(record)}: {found.ends_at:.1f} of {found.seconds:.1f} s")
    for kind, problem, videos in (
        ("unreadable", "cannot be read", unreadable),
        ("short", "are shorter than their headers claim", short),
    ):
        if videos:
            message = f"{len(videos)} videos {problem}; download them again"
            yield Finding("error", kind, message, tuple(videos))


def _duplicates(check: Check) -> Iterator[Finding]:
    by_path = {record.path: record for record in check.records}
    for same in duplicates(by_path):
        names = tuple(_name(by_path[path]) for path in same)
        message = f"the same content under {len(same)} names: {', '.join(names)}"
        yield Finding("error", "duplicate", message, names)


def _identities(check: Check) -> Iterator[Finding]:
    """Find people in two splits: targets, and sources that are targets too.

    Celeb-DF's official list has some, FaceForensics++'s has none.
    """
    splits: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for record in check.records:
        if record.target is not None:
            splits[record.dataset][record.target].add(record.split)
    for record in check.records:
        if record.source is not None and record.source in splits[record.dataset]:
            splits[record.dataset][record.source].add(record.split)
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
    pairs = zip(check.records, check.probes, strict=True)
    rows = [
        (f"{record.dataset} {record.compression}", record.label, found.size, found.bit_rate)
        for record, found in pairs
        if found.reason is None
    ]
    videos = pd.DataFrame(rows, columns=["group", "label", "file size", "bit rate"])
    for group, members in videos.groupby("group", sort=False):
        for name in ("file size", "bit rate"):
            auc, low = _separation(members["label"], members[name])
            if low > _NOTEWORTHY_AUC:
                message = (
                    f"{group}: {name} alone separates real from fake, AUC {auc:.2f}: a "
                    "detector may learn the encoder"
                )
                yield Finding("warning", "confound", message)


def _separation(labels: pd.Series, values: pd.Series) -> tuple[float, float]:
    """Return the AUC, in either direction, and its lower bound (Hanley and McNeil, 1982)."""
    fake, real = (labels == 1).sum(), (labels == 0).sum()
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
