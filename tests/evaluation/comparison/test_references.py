"""Published figures are beside a run's only where the protocols agree."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse

import pytest

from cli.main import main
from errors import InputError
from evaluation.comparison.references import (
    PROTOCOL,
    Reference,
    protocol_of,
    read_references,
    split_references,
)
from evaluation.comparison.run import read_run
from evaluation.formatting import MISSING
from tests.support.ladder_on_disk import frame_scores, write_run

CELEB = "Celeb-DF-v2 release/test"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two students as if trained on FaceForensics++ and tested on Celeb-DF-v2 as well."""
    root = tmp_path_factory.mktemp("runs")
    return [
        write_run(root, method, scores=frame_scores(separation, 0, mini=""))
        for method, separation in (("student", 1.0), ("two-in-one", 1.5))
    ]


def test_every_reference_has_its_protocol_and_source() -> None:
    references = read_references()
    assert len(references) > 100
    for one in references:
        assert set(one.protocol) == set(PROTOCOL)
        assert one.level in ("frame", "video")
        assert 0.5 < one.auc < 1
        assert urlparse(one.source).scheme == "https"
        assert one.detector
        assert one.run_by
    keys = [(r.detector, r.test, r.level, r.run_by, r.source) for r in references]
    assert len(set(keys)) == len(keys)
    sbi = [r.auc for r in references if (r.detector, r.test, r.level) == ("SBI", CELEB, "video")]
    assert {0.9382, 0.9318} <= set(sbi)


def test_a_reference_agrees_in_every_field_or_its_differences_are_named(runs: list[Path]) -> None:
    run = read_run(runs[0])
    same = Reference("Same", CELEB, "video", 0.7, "us", protocol_of(run), "https://example.org")
    frame = replace(same, level="frame", protocol={**same.protocol, "aggregation": ""})
    elsewhere = replace(same, test="DFDC release/test")
    others = [
        replace(same, protocol={**same.protocol, name: value})
        for name, value in (("crop", ""), ("selected_on", "test"), ("aggregation", "max"))
    ]
    alike, unlike = split_references([same, frame, elsewhere, *others], run, [CELEB])
    assert alike == [same, frame]
    assert [one.differences for one in unlike] == [
        ("crop: not published (here box, 1.3)",),
        ("selected on: test (here validation)",),
        ("aggregation: max (here mean)",),
    ]


def test_compare_lists_other_protocols_apart(
    runs: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    argv = ["compare", *map(str, runs)]
    main(argv)
    assert "SBI" not in capsys.readouterr().out
    main([*argv, "--references"])
    printed = capsys.readouterr().out
    assert "published video AUC of the same protocol" not in printed
    assert "SBI 0.938" in printed
    assert "compression: raw (here c23)" in printed
    assert "selected on: test (here validation)" in printed
    run = read_run(runs[0])
    same = Reference("Same", CELEB, "video", 0.7, "us", protocol_of(run), "https://example.org")
    monkeypatch.setattr("evaluation.report.reference_tables.read_references", lambda: [same])
    main([*argv, "--references"])
    printed = capsys.readouterr().out
    assert "published video AUC of the same protocol" in printed
    auc = run.figure("auc", CELEB)
    assert f"{auc - 0.7:+.3f}".replace("-", "\N{MINUS SIGN}") in printed


def test_a_run_that_lacks_the_test_set_of_a_reference_has_a_dash(
    runs: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = frame_scores(1.0, 0, mini="")
    fewer = write_run(tmp_path, "spatial", scores=scores[scores["compression"] == "c23"])
    run = read_run(runs[0])
    same = Reference("Same", CELEB, "video", 0.7, "us", protocol_of(run), "https://example.org")
    monkeypatch.setattr("evaluation.report.reference_tables.read_references", lambda: [same])
    main(["compare", str(runs[0]), str(fewer), "--references"])
    row = next(line for line in capsys.readouterr().out.splitlines() if "Same, us" in line)
    assert row.split()[-1] == MISSING


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "references.csv"
    file.write_text("detector,test\nSBI,Celeb-DF-v2 release\n")
    with pytest.raises(InputError, match=r"references.csv, line 2: 'level'"):
        read_references(file)
