"""The results of a check as JSON, CSV and lines of text."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from checking.check import Checked, CheckedPerson
from checking.files import printable
from checking.verdict import Verdict

Record = dict[str, Any]

_COLUMNS = (
    "path", "person", "judged", "grade", "forged", "reason", "score", "real_as_high", "real_low",
    "real_high", "fake_as_low", "fake_low", "fake_high", "p", "p_bound", "first_seconds",
    "last_seconds",
)  # fmt: skip


def to_record(checked: Checked) -> Record:
    """Return a result as JSON's types, without pictures; scores are null if not comparable."""
    return {
        "path": printable(checked.path),
        **_verdict(checked.verdict),
        "readable": checked.is_readable,
        "worst_person": checked.worst,
        "is_image": checked.is_image,
        "duration": checked.duration,
        "frames": checked.frames,
        "frames_without_face": checked.without_face,
        "cuts": checked.cuts,
        "remarks": checked.remarks,
        "people": [_person(person) for person in checked.people],
    }


def _person(person: CheckedPerson) -> Record:
    return {
        "person": person.number,
        **_verdict(person.verdict),
        "score": person.score,
        "face_pixels": round(person.side, 1),
        "seconds": person.seconds,
        "probabilities": person.probabilities,
    }


def _verdict(verdict: Verdict) -> Record:
    parts = {"real": verdict.real, "fake": verdict.fake, "p_value": verdict.p_value}
    return {
        "judged": verdict.is_forged is not None,
        "verdict": verdict.line,
        "grade": verdict.grade,
        "forged": verdict.is_forged,
        "reason": verdict.reason,
        "explanation": verdict.explanation,
        **{name: None if part is None else asdict(part) for name, part in parts.items()},
    }


def to_csv(records: Iterable[Record]) -> str:
    """Return one row per person, and one per file without people."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for record in records:
        for one in record["people"] or [record]:
            row = {name: one.get(name) for name in _COLUMNS} | {"path": record["path"]}
            for kind, side in (("real", "high"), ("fake", "low")):
                if share := one[kind]:
                    row[f"{kind}_as_{side}"] = share["count"] / share["videos"]
                    row[f"{kind}_low"], row[f"{kind}_high"] = share["low"], share["high"]
            if one["p_value"]:
                row["p"], row["p_bound"] = one["p_value"]["p"], one["p_value"]["bound"]
            if one.get("seconds"):
                row["first_seconds"], row["last_seconds"] = one["seconds"][0], one["seconds"][-1]
            writer.writerow(row)
    return text.getvalue()


def to_lines(record: Record) -> list[str]:
    """Return a result for the terminal: the verdict, what it means, and what limits it."""
    lines = [f"{record['path']}: {record['verdict']}"]
    if record["people"]:
        count = len(record["people"])
        people = "1 person" if count == 1 else f"{count} people"
        without = record["frames_without_face"]
        lines.append(f"  {people} in {record['frames']} sampled frames, {without} without a face")
    lines += [f"  {sentence}" for sentence in record["explanation"]]
    lines += [f"  {remark}" for remark in record["remarks"]]
    if len(record["people"]) > 1:
        lines += [f"  person {one['person']}: {one['verdict']}" for one in record["people"]]
    return lines


def summary(records: Sequence[Record]) -> list[str]:
    """Return the counts, and the files that were not judged with the reasons."""
    unjudged = [record for record in records if not record["judged"]]
    forged = sum(bool(record["forged"]) for record in records)
    lines = [
        f"{len(records)} files: {forged} with evidence of a forgery, "
        f"{len(records) - forged - len(unjudged)} with evidence against it, "
        f"{len(unjudged)} not judged"
    ]
    return lines + [f"  {record['path']}: {record['reason']}" for record in unjudged]
