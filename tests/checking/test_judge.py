"""Which people have no comparable score, and so no verdict."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checking.verdict import Judge, Measured
from inference.card import read_card
from inference.reference import Reference


@pytest.mark.parametrize(
    ("person", "transfer", "is_image", "reason"),
    [
        ({}, None, False, ""),
        ({}, "PQ", False, "HDR video (PQ)"),
        ({"seen": 3}, None, False, "the face is in 3 sampled frames, fewer than 4"),
        ({"seen": 1}, None, True, ""),
        ({"side": 30.0}, None, False, "the face is 30 px large: validation covers 40 px and more"),
        (
            {"quality": {"sharpness": 1e-3, "detail": 0.5}}, None, False,
            "the face is too blurred: its sharpness is 0.001, and on validation videos the answers "
            "held above 0.001 only",
        ),
        (
            {"quality": {"sharpness": 0.1, "detail": 0.083}}, None, True,
            "the face is too compressed or too smooth: the share of its pixels with detail "
            "is 0.083, and on validation videos the answers held above 0.100 only",
        ),
    ],
)  # fmt: skip
def test_what_validation_does_not_cover_is_not_compared(
    judging_package: Path,
    person: dict[str, Any],
    transfer: str | None,
    is_image: bool,
    reason: str,
) -> None:
    judge = Judge(read_card(judging_package), Reference.open(judging_package))
    judge.known.frames = 8
    quality = {"sharpness": 0.1, "detail": 0.5}
    measured = replace(Measured(0.5, frames=2, seen=8, side=80.0, quality=quality), **person)
    found = judge.not_comparable(measured, transfer, is_image)
    assert found.startswith(reason) if reason.startswith("the") else reason in found
    assert bool(found) == bool(reason)
    verdict = judge.judge(measured, transfer, is_image)
    assert (verdict.real is None) == bool(reason)
